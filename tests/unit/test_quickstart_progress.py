from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openlearn.quickstart import progress
from scheduler.core.states import RunState
from scheduler.models import Run

STARTED_AT = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)


def run(**fields: Any) -> Run:
    return Run(
        job_name="Sample feed",
        state=RunState.SUCCEEDED,
        started_at=STARTED_AT,
        finished_at=STARTED_AT + timedelta(seconds=1.25),
        **fields,
    )


class TestSummary:
    @pytest.mark.parametrize(
        ("result", "text"),
        [
            ({"new": 3, "changed": 0, "failed": 1, "not_modified": False}, "new: 3, failed: 1"),
            ({"new": 0}, "nothing new"),
            (None, ""),
            ("done", "done"),
            ([1, 2], "[1, 2]"),
        ],
    )
    def test_names_the_numbers_that_are_not_zero(self, result: object, text: str) -> None:
        assert progress.summary(run(result=result)) == text

    def test_is_the_first_line_of_the_error(self) -> None:
        assert progress.summary(run(error="It broke.\nBecause.", result={"new": 3})) == "It broke."

    def test_is_cut_when_it_is_long(self) -> None:
        text = progress.summary(run(result="x" * 500))

        assert len(text) == progress.LONGEST_SUMMARY
        assert text.endswith("…")


class TestLine:
    def test_says_when_what_how_and_how_long(self) -> None:
        assert progress.line(run(result={"new": 2})).split() == [
            *("01:00:01", "Sample", "feed", "succeeded", "new:", "2", "(1.25", "s)")
        ]

    def test_of_a_run_that_never_started_has_no_duration(self) -> None:
        missed = run(reason="later than 300 s")
        missed.started_at = None
        missed.state = RunState.MISSED

        assert progress.line(missed).endswith("missed     later than 300 s")
