from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from scheduler.models import Run

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

    def test_waits_for_the_outcome_and_tells_it_by_its_code(self) -> None:
        code, _, told = run("sample.square", "--kwargs", '{"number": 3}', "--wait", "0.2")
        assert (code, "queued" in told) == (1, True)

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
