from __future__ import annotations

import io
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from scheduler.management.commands import enqueue
from scheduler.models import Run
from scheduler.testing import run_due
from tests.sample_app import django_tasks as sample

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[int, str, str]:
    """Return the exit code, what went to stdout and what went to stderr."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("enqueue", *words, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    return 0, out.getvalue(), err.getvalue()


class TestEnqueue:
    def test_shows_the_run(self) -> None:
        code, out, _ = run("sample.square", "--kwargs", '{"number": 3}', "--queue", "mail", "--json")
        assert code == 0
        assert (json.loads(out)["queue"], json.loads(out)["state"]) == ("mail", "queued")
        assert Run.objects.get().kwargs == {"number": 3}

    def test_waits_no_longer_than_it_is_told(self) -> None:
        code, _, told = run("sample.square", "--kwargs", '{"number": 3}', "--wait", "0.2")
        assert (code, "queued" in told) == (1, True)

    @pytest.mark.parametrize(
        ("task", "code", "state", "attempt"),
        [
            (sample.meaning_of_life, 0, "succeeded", 1),
            (sample.skip, 0, "skipped", 1),
            (sample.fail_with_value_error, 1, "failed", 1),
            (sample.get_attempt, 0, "succeeded", 3),
        ],
        ids=lambda value: getattr(value, "name", value),
    )
    def test_waits_for_the_last_attempt_and_reports_it_by_its_code(
        self, task: Any, code: int, state: str, attempt: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        others = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: run_due())
        monkeypatch.setattr(enqueue, "time", others)  # a node works while it waits
        ended, out, told = run(task.module_path, "--wait", "120", "--json")
        assert ended == code, told
        assert (json.loads(out)["state"], json.loads(out)["attempt"]) == (state, attempt)

    @pytest.mark.parametrize(
        ("words", "word"),
        [
            (("nobody.knows",), "nobody.knows"),
            (("sample.square", "--kwargs", '{"numbr": 3}'), "numbr"),
            (("sample.square", "--kwargs", "[]"), "object"),
            (("sample.nothing", "--queue", "a@b"), "a@b"),
            (("sample.nothing", "--priority", "101"), "101"),
        ],
    )
    def test_refuses_what_cannot_be(self, words: tuple[str, ...], word: str) -> None:
        code, _, told = run(*words)
        assert code != 0
        assert word in told
        assert not Run.objects.exists()
