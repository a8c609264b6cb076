"""The start of a node or a command: what only some of them need is imported when it is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

LATER = (
    "cryptography",
    "django.db.migrations.executor",
    "feedparser",
    "httpx",
    "lxml",
    "openlearn.urls",
    "prometheus_client",
    "protego",
    "scheduler.admin.jobs",
    "scheduler.api.urls",
    "trafilatura",
)
"""Modules of single parts: sealed arguments, requests, metrics, scraping, and the web."""

CODE = """
import json, sys
import django
django.setup()
import scheduler.management.commands.runscheduler
print(json.dumps([name for name in sys.argv[1:] if name in sys.modules]))
"""


class TestANode:
    def test_starts_without_the_libraries_of_single_parts(self) -> None:
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
        assert json.loads(done.stdout) == []
