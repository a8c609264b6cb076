"""One pace for each host, over all processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from openlearn.scraping.fetching import politeness
from openlearn.scraping.models import Host

ROOT = Path(__file__).resolve().parents[3]

STATEMENT = ROOT / "openlearn/scraping/fetching/sql/take_turn.sql"

ASK = """
import json, pathlib, sys, time
import psycopg2
connection = psycopg2.connect(**json.loads(sys.argv[1]))
connection.autocommit = True
statement = pathlib.Path(sys.argv[2]).read_text()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(8):
    with connection.cursor() as cursor:
        cursor.execute(statement, {"host": "lessons.test", "delay": 0.2, "patience": 600.0})
        time.sleep(cursor.fetchone()[0])
    print(time.time(), flush=True)
"""


@pytest.mark.django_db(transaction=True)
class TestFourProcesses:
    @pytest.fixture
    def processes(self) -> Iterator[list[subprocess.Popen[str]]]:
        """Four that ask for turns at one host, as soon as they get a line."""
        settings = connection.settings_dict
        given = {"dbname": settings["NAME"], "host": settings["HOST"], "user": settings["USER"]}
        given |= {name: settings[name.upper()] for name in ("port", "password") if settings[name.upper()]}
        command = [sys.executable, "-c", ASK, json.dumps(given), str(STATEMENT)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        started = [subprocess.Popen(command, text=True, **pipes) for _ in range(4)]
        yield started
        for process in started:
            process.kill()
            process.communicate()

    def test_share_one_pace(self, processes: list[subprocess.Popen[str]]) -> None:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        begun = time.time()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

        sent = sorted(float(line) for process in processes for line in process.communicate(timeout=120)[0].split())

        assert len(sent) == 32
        # A pause lies before each but the first, whoever sends it.
        assert [at - begun >= 0.2 * number for number, at in enumerate(sent)] == [True] * 32


@pytest.mark.django_db
class TestATurn:
    def take(self, host: str = "lessons.test", delay: float = 1.0, patience: float = 10.0) -> politeness.Turn:
        return politeness.take_turn(host=host, delay_seconds=delay, patience_seconds=patience)

    def test_comes_after_the_one_before(self) -> None:
        waits = [self.take(delay=100, patience=1000).wait_seconds for _ in range(3)]

        assert waits == pytest.approx([0, 100, 200], abs=50)

    def test_of_one_host_makes_no_other_wait(self) -> None:
        self.take(delay=3600)

        assert self.take(host="other.test").wait_seconds == 0

    def test_beyond_the_patience_of_the_caller_is_not_taken(self) -> None:
        self.take(delay=300)

        assert self.take(patience=5).wait_seconds is None
        assert self.take(patience=600).wait_seconds == pytest.approx(300, abs=100)

    @pytest.mark.parametrize("delay", [0.0, 1.0])
    def test_is_not_given_while_the_host_is_closed(self, delay: float) -> None:
        until_at = timezone.now() + timedelta(minutes=10)
        politeness.close(host="lessons.test", until_at=until_at)
        politeness.close(host="lessons.test", until_at=until_at - timedelta(minutes=5))

        turn = self.take(delay=delay)

        assert (turn.wait_seconds, turn.closed_until) == (None, until_at)

    def test_is_given_when_the_host_is_open_again(self) -> None:
        politeness.close(host="lessons.test", until_at=timezone.now() - timedelta(seconds=1))

        assert self.take() == politeness.Turn(wait_seconds=0)

    @pytest.mark.parametrize("delay", [0.0, 1.0])
    def test_costs_one_statement(self, delay: float) -> None:
        with CaptureQueriesContext(connection) as queries:
            self.take(delay=delay)

        assert len(queries.captured_queries) == 1

    def test_of_a_host_of_ones_own_leaves_no_row(self) -> None:
        self.take(delay=0)

        assert not Host.objects.exists()
