from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduler import context
from scheduler.context import StopReason
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.errors import RunStopped
from scheduler.execution.runner import begin
from scheduler.models import Run
from scheduler.services import retention
from scheduler.store.recording.runs import OwnedRun
from scheduler.tasks import cleanup_jobs
from tests.integration.services.ledger import job, run
from tests.postgres import free_port

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.django_db


def command(*arguments: str, **options: Any) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("cleanup_jobs", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


class TestTheTask:
    def test_has_a_day_and_ends_between_two_batches_when_it_is_asked_to(self) -> None:
        run(job(), days_ago=31)
        asked = begin(
            OwnedRun(
                id=1,
                job_id=None,
                job_name="",
                task="scheduler.cleanup_jobs",
                args="[]",
                kwargs="{}",
                scheduled_at=datetime(2026, 1, 1, tzinfo=UTC),
                attempt=1,
                executor="default",
            ),
            node="",
        )
        asked.stop(StopReason.CANCELLED)
        token = context.enter(asked)
        try:
            with pytest.raises(RunStopped):
                cleanup_jobs(keep=0)
        finally:
            context.leave(token)

        assert registry.get("scheduler.cleanup_jobs").timeout == timedelta(hours=23)


class TestCleanupJobsCommand:
    def test_prints_what_went(self) -> None:
        once = job("one-shot", state=JobState.FINISHED, ended_days_ago=31)
        run(once, days_ago=31)
        run(once, days_ago=32)

        out, err = command("--days", "30")

        assert out.startswith("Deleted 2 runs, 1 ended job and 0 gone nodes from before ")
        assert (out.endswith(" UTC.\n"), err) == (True, "")

    def test_says_what_would_go(self) -> None:
        run(job(), days_ago=31)

        out, _ = command("--dry-run", "--keep", "0", "--batch-size", "10")

        assert out.startswith("Would delete 1 run, 0 ended jobs and 0 gone nodes from before ")
        assert Run.objects.count() == 1

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--days", "0"), "--days is “0”. It must be a whole number from 1 to 36,500."),
            (("--days=-3",), "--days is “-3”. It must be a whole number from 1 to 36,500."),
            (("--days", "month"), "--days is “month”. It must be a whole number."),
            (("--days", "1.5"), "--days is “1.5”. It must be a whole number."),
            (("--keep=-1",), "--keep is “-1”. It must be a whole number from 0 to 100,000."),
            (("--batch-size", "0"), "--batch-size is “0”. It must be a whole number from 1 to 10,000."),
        ],
    )
    def test_refuses_a_wrong_number_in_one_sentence(self, arguments: tuple[str, ...], sentence: str) -> None:
        run(job(), days_ago=400)

        with pytest.raises(CommandError) as refusal:
            command(*arguments)

        assert (str(refusal.value), refusal.value.returncode) == (sentence, 2)
        assert Run.objects.count() == 1

    def test_tells_a_terminal_how_far_it_is_on_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scheduler.management.commands.cleanup_jobs._TERMINAL_SECONDS", 0.0)
        run(job(), days_ago=31)
        terminal = StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)

        call_command("cleanup_jobs", "--keep", "0", stdout=StringIO(), stderr=terminal, no_color=True)

        shown = terminal.getvalue()
        assert "1 runs looked at, 1 deleted" in shown
        assert ("\n" in shown, shown.endswith("\r\x1b[K")) == (False, True)

    def test_tells_a_log_how_far_it_is_in_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scheduler.management.commands.cleanup_jobs._LOG_SECONDS", 0.0)
        run(job(), days_ago=31)

        _, err = command("--keep", "0")

        assert err.splitlines()[-1] == "1 runs looked at, 1 deleted"
        assert command("--keep", "0", verbosity=0)[1] == ""

    def test_says_what_was_done_when_it_is_interrupted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        daily = job()
        for days in (40, 41):
            run(daily, days_ago=days)
        delete, calls = retention.retention.delete_runs, itertools.count()

        def interrupted(**arguments: Any) -> int:
            if next(calls):
                raise KeyboardInterrupt
            return delete(**arguments)

        monkeypatch.setattr(retention.retention, "delete_runs", interrupted)
        out = StringIO()

        with pytest.raises(CommandError, match="Run it again") as ended:
            call_command("cleanup_jobs", "--keep", "0", "--batch-size", "1", stdout=out, stderr=StringIO())

        assert ended.value.returncode == 130
        assert out.getvalue().startswith("Deleted 1 run, ")


def in_a_shell(*arguments: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run it as a person does: what counts is what they read and the exit code."""
    return subprocess.run(
        [sys.executable, "manage.py", "cleanup_jobs", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "SECRET_KEY": "only-for-this-test"},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


class TestCleanupJobsInAShell:
    def test_says_in_one_sentence_that_the_database_is_away(self) -> None:
        url = f"postgresql://127.0.0.1:{free_port()}/learning"

        result = in_a_shell(url=url)

        assert (result.returncode, result.stdout) == (1, "")
        assert re.fullmatch(r"CommandError: Nothing listens on 127\.0\.0\.1:\d+: [^\n]+\.\n", result.stderr)

    def test_says_that_a_number_is_wrong_before_it_asks_for_the_database(self) -> None:
        result = in_a_shell("--days", "0", url=f"postgresql://127.0.0.1:{free_port()}/learning")

        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == "CommandError: --days is “0”. It must be a whole number from 1 to 36,500.\n"


class TestCleanUpCounts:
    def test_are_plain_numbers_as_json(self) -> None:
        run(job(), days_ago=31)

        assert json.loads(json.dumps(cleanup_jobs(days=30, keep=0)))["runs"] == 1
