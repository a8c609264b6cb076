from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
EXTERNAL = {"DATABASE_URL": "postgresql://anna:hidden@db.invalid/openlearn"}
PRODUCTION = {
    **EXTERNAL,
    "SECRET_KEY": secrets.token_urlsafe(50),
    "HTTPS": "1",
    "ALLOWED_HOSTS": "learn.example",
}


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with these variables and nothing else configured."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "OPENLEARN_DATA_DIR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=ROOT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


class TestTheEmbeddedDatabase:
    @pytest.mark.parametrize("arguments", [["help"], ["check"], ["quickstart", "--help"]], ids=" ".join)
    def test_is_not_started_by_commands_that_need_none(self, arguments: list[str], tmp_path: Path) -> None:
        result = manage(*arguments, OPENLEARN_DATA_DIR=str(tmp_path))

        assert (result.returncode, result.stderr) == (0, "")
        assert not (tmp_path / "postgres").exists()


class TestQuickstart:
    @pytest.mark.parametrize(
        "given", [EXTERNAL, {"POSTGRES_HOST": "db.invalid", "POSTGRES_DB": "openlearn", "POSTGRES_PASSWORD": "hidden"}]
    )
    def test_fills_an_external_database_only_when_told_to(self, given: dict[str, str], tmp_path: Path) -> None:
        production = {**PRODUCTION, "DATABASE_URL": "", **given, "OPENLEARN_DATA_DIR": str(tmp_path)}

        refused = manage("quickstart", **production)
        told = manage("quickstart", "--external-database", **production)

        assert refused.returncode == 1
        assert refused.stderr.startswith(
            "CommandError: DATABASE_URL or POSTGRES_* names the database “openlearn” on db.invalid. "
            "This command would create the user “admin” and sample jobs in it."
        )
        assert "Connecting to PostgreSQL" not in refused.stdout
        assert "Connecting to PostgreSQL" in told.stdout
        assert "hidden" not in refused.stderr + told.stderr


class TestProduction:
    def test_passes_the_checks_for_deployment(self) -> None:
        result = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)

        assert result.returncode == 0, result.stderr

    def test_needs_a_secret_key(self) -> None:
        result = manage("check", **EXTERNAL)

        assert result.returncode == 1
        assert result.stderr.startswith("Error: SECRET_KEY is not set.")
        assert "Traceback" not in result.stderr
        assert "hidden" not in result.stderr

    @pytest.mark.parametrize("variable", ["DEBUG", "DB_POOL_SIZE", "LOG_FORMAT", "MAX_CONCURRENT_SCRAPERS"])
    def test_names_a_variable_that_cannot_be_used(self, variable: str) -> None:
        result = manage("check", **PRODUCTION, **{variable: "nonsense"})

        assert result.returncode == 1
        assert result.stderr.startswith(f"Error: {variable} is “nonsense”")


@pytest.mark.django_db
class TestHttps:
    def test_is_asked_of_people_and_not_of_probes(self, client: Client, settings: Any) -> None:
        """A probe that is redirected would call a service healthy that is not."""
        settings.SECURE_SSL_REDIRECT = True

        assert client.get("/admin/").status_code == 301
        assert client.get("/api/v1/scheduler/jobs").status_code == 301
        for probe in ("health", "health/live", "health/ready"):
            assert client.get(f"/api/v1/scheduler/{probe}").status_code in (200, 503)


@pytest.mark.django_db
class TestTheFirstPage:
    def test_leads_to_the_admin(self, client: Client) -> None:
        response = client.get("/", follow=True)

        assert response.status_code == 200
        assert "OpenLearn Scheduler" in response.content.decode()
