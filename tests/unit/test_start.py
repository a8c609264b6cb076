"""The start of a node or a command: what only some of them need is imported when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

LATER = (
    "ada_url",
    "cryptography",
    "dj_db_conn_pool",
    "django.db.migrations.executor",
    "drf_spectacular.generators",
    "feedparser",
    "greenlet",
    "httpx",
    "lxml",
    "openlearn.scraping.services.source_jobs",
    "openlearn.urls",
    "prometheus_client",
    "protego",
    "rest_framework.views",
    "rich",
    "scheduler.admin.jobs",
    "scheduler.api.urls",
    "scheduler.core.templates",
    "scheduler.services.declarations",
    "scheduler.services.templates",
    "sqlalchemy",
    "trafilatura",
    "yaml",
)
"""Modules of single parts: sealed arguments, requests, metrics, scraping, declarations, templates, and the web."""

CODE = """
import gc, json, sys
gc.disable()
import django
django.setup()
kept, is_on = gc.get_freeze_count(), gc.isenabled()
import scheduler.management.commands.runscheduler
imported = [name for name in sys.argv[1:] if name in sys.modules]
print(json.dumps({"imported": imported, "kept": kept, "is_on": is_on}))
"""


@pytest.fixture(scope="module")
def start() -> dict[str, Any]:
    """Facts about the start of a node."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *LATER],
        cwd=CHECKOUT,
        env={
            "DATABASE_URL": "postgresql://db.invalid/openlearn",
            "SECRET_KEY": "only for this test",
            "DJANGO_SETTINGS_MODULE": "openlearn.settings",
        },
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


class TestANode:
    def test_starts_without_the_libraries_of_single_parts(self, start: dict[str, Any]) -> None:
        assert start["imported"] == []

    def test_collects_garbage_from_its_start_on_and_never_looks_through_what_was_there(
        self, start: dict[str, Any]
    ) -> None:
        assert start["is_on"]
        assert start["kept"] > 50_000
