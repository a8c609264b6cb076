from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from scheduler.services import installation
from tests.postgres import Cluster, free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(password="right") as cluster:
        cluster.psql("CREATE DATABASE learning")
        yield cluster


@pytest.fixture(scope="module")
def migrated(cluster: Cluster) -> Callable[[str], str]:
    """Return what makes a database in which somebody has applied the migrations, and no more, and gives its address."""
    cluster.psql("CREATE DATABASE migrated")
    done = manage("migrate", "--verbosity", "0", url=cluster.url("migrated"))
    assert done.returncode == 0, done.stderr

    def make(name: str) -> str:
        cluster.psql(f"CREATE DATABASE {name} TEMPLATE migrated")
        return cluster.url(name)

    return make


def command(*arguments: str, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it as a person does: what counts is what they read and the exit code."""
    return manage("init_scheduler_db", *arguments, url=url, **variables)


def manage(*arguments: str, url: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("POSTGRES_", "DJANGO_"))},
        "DATABASE_URL": url,
        "SECRET_KEY": "only-for-this-test",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Return the sentence of a command that failed as it should: no traceback, exit code 1."""
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    (sentence,) = result.stderr.strip().splitlines()
    return sentence.removeprefix("CommandError: ").removeprefix("Error: ")


@pytest.mark.django_db
class TestMissingMigrations:
    def test_are_found_by_their_files(self) -> None:
        assert installation.missing_in(alias="default") == ()

        MigrationRecorder(connection).record_unapplied("knox", "0009_extend_authtoken_field")

        assert installation.missing_in(alias="default") == ("knox.0009_extend_authtoken_field",)
        assert installation.missing_migrations() == ("knox.0009_extend_authtoken_field",)

    def test_of_an_app_without_any_are_none(self, settings: Any) -> None:
        settings.MIGRATION_MODULES = {"knox": None}
        MigrationRecorder(connection).record_unapplied("knox", "0009_extend_authtoken_field")

        assert installation.missing_in(alias="default") == ()


class TestInitSchedulerDb:
    def test_says_what_is_missing_then_installs_it_then_finds_it(self, cluster: Cluster) -> None:
        url = cluster.url("learning")

        before = command("--check", "--json", url=url)
        installed = command(url=url)
        after = command("--check", "--json", url=url)

        assert "Run “manage.py init_scheduler_db” to apply them." in refusal(before)
        found = json.loads(before.stdout)
        assert (found["connection_valid"], found["table_exists"], found["job_count"]) == (True, False, None)
        assert "scheduler.0001_initial" in found["missing_migrations"]
        assert (installed.returncode, installed.stderr) == (0, "")
        assert "job_count: 1" in installed.stdout
        assert json.loads(after.stdout) == {
            "connection_valid": True,
            "table_exists": True,
            "job_count": 1,
            "missing_migrations": [],
            "error": None,
        }

    def test_may_be_started_by_several_processes_at_once(self, cluster: Cluster) -> None:
        cluster.psql("CREATE DATABASE shared")

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: command(url=cluster.url("shared")), range(4)))

        assert [(result.returncode, result.stderr) for result in results] == [(0, "")] * 4
        assert all("job_count: 1" in result.stdout for result in results)

    def test_makes_the_job_that_cleans_up_whoever_applied_the_migrations(self, migrated: Callable[[str], str]) -> None:
        url = migrated("migrated_before")

        assert "job_count: 1" in command(url=url).stdout
        assert "job_count: 1" in command(url=url).stdout

    def test_makes_no_job_again_that_somebody_deleted(self, cluster: Cluster, migrated: Callable[[str], str]) -> None:
        url = migrated("tidy")
        assert "job_count: 1" in command(url=url).stdout
        cluster.psql("DELETE FROM scheduler_job", database="tidy")

        assert "job_count: 0" in command(url=url).stdout

    def test_makes_the_job_where_an_earlier_installation_left_its_row(self, migrated: Callable[[str], str]) -> None:
        url = migrated("installed_again")
        assert "job_count: 1" in command(url=url).stdout
        assert manage("migrate", "scheduler", "zero", "--verbosity", "0", url=url).returncode == 0

        assert "job_count: 1" in command(url=url).stdout

    def test_says_that_a_table_was_removed(self, cluster: Cluster, migrated: Callable[[str], str]) -> None:
        url = migrated("damaged")
        cluster.psql("DROP TABLE scheduler_node CASCADE", database="damaged")

        result = command(url=url)

        assert "Tables of the scheduler are missing" in refusal(result)

    def test_says_that_the_password_is_wrong_without_repeating_it(self, cluster: Cluster) -> None:
        result = command(url=cluster.url("learning").replace("right", "wr0ng"))

        assert "refused the password of the user “postgres”" in refusal(result)
        assert "wr0ng" not in result.stdout + result.stderr
        assert "connection_valid: no" in result.stdout

    def test_says_that_the_host_is_unknown(self, cluster: Cluster) -> None:
        assert refusal(command(url="postgresql://nobody@db.invalid/learning")) == (
            "The host “db.invalid” is not known: correct it in DATABASE_URL or POSTGRES_HOST."
        )

    def test_says_that_the_database_is_missing(self, cluster: Cluster) -> None:
        assert "There is no database “absent”" in refusal(command(url=cluster.url("absent")))

    def test_says_that_the_user_is_missing(self, cluster: Cluster) -> None:
        url = cluster.url("learning").replace("postgres:right", "absent:right")

        # PostgreSQL does not tell strangers which users it has.
        assert "refused the password of the user “absent”" in refusal(command(url=url))

    def test_says_that_nothing_listens(self) -> None:
        port = free_port()

        assert f"Nothing listens on 127.0.0.1:{port}" in refusal(command(url=f"postgresql://127.0.0.1:{port}/learning"))

    def test_says_that_something_else_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=_answer_as_a_web_server, args=(listener,), daemon=True).start()
            port = listener.getsockname()[1]

            result = command(url=f"postgresql://127.0.0.1:{port}/learning?sslmode=prefer")

        assert f"What listens on 127.0.0.1:{port} is not PostgreSQL" in refusal(result)

    def test_refuses_a_url_of_another_database(self) -> None:
        assert "The scheduler needs PostgreSQL" in refusal(command(url="mysql://root@127.0.0.1/learning"))

    def test_checks_the_direct_connection_too(self, cluster: Cluster) -> None:
        result = command("--check", url=cluster.url("learning"), DATABASE_URL_SYNC=cluster.url("absent"))

        assert "There is no database “absent”" in refusal(result)


def _answer_as_a_web_server(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
