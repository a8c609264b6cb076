"""Calendars that change under many jobs are followed in short passes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from scheduler.engine.duties import rule_changes
from scheduler.engine.duties.rule_changes import Calendars


class TestCalendars:
    def test_go_on_where_the_time_of_a_pass_was_over(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [1000.0]
        jobs = [f"job-{number}" for number in range(6)]
        followed: list[str] = []

        def find(*, after: str, **_: Any) -> tuple[str, ...]:
            return tuple(job for job in jobs if job > after)

        def replan_many(*, jobs: Sequence[str], **_: Any) -> int:
            followed.extend(jobs)
            now[0] += 0.03
            return len(jobs)

        monkeypatch.setattr(rule_changes, "time", SimpleNamespace(monotonic=lambda: now[0]))
        monkeypatch.setattr(rule_changes, "STEP_SECONDS", 0.05)
        monkeypatch.setattr(rule_changes, "replanning", SimpleNamespace(find=find, replan_many=replan_many))
        monkeypatch.setattr(rule_changes, "database", SimpleNamespace(borrowed=nullcontext))
        claim = SimpleNamespace(soon=lambda: None)
        work: Any = SimpleNamespace(connection=SimpleNamespace(execute=None))
        agenda: Any = SimpleNamespace(duty=lambda _: claim)
        duty = Calendars(work, agenda)

        pauses, after_each = [], []
        for _ in range(3):
            pauses.append(duty.run())
            after_each.append(len(followed))

        assert after_each == [2, 4, 6]
        assert pauses == [0.0, 0.0, None]
        assert followed == jobs
