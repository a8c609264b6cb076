"""Crontabs of Celery as crons by fields: every field must match, and Sunday is day 0."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.compat import celery_schedules
from scheduler.core import triggers
from scheduler.errors import InvalidTrigger


def fields(
    minute: str = "*", hour: str = "*", day: str = "*", month: str = "*", day_of_week: str = "*"
) -> dict[str, str]:
    return {"minute": minute, "hour": hour, "day": day, "month": month, "day_of_week": day_of_week}


def test_both_days_must_match() -> None:
    trigger = celery_schedules.crontab(fields("0", "0", day="13", day_of_week="5"), timezone="UTC")

    times = triggers.next_fire_times(trigger, after=datetime(2026, 1, 1, tzinfo=UTC), count=3)

    assert [f"{at:%a %d %b}" for at in times] == ["Fri 13 Feb", "Fri 13 Mar", "Fri 13 Nov"]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("minute", "*/20", {0, 20, 40}),
        ("minute", "5-50/20", {5, 25, 45}),
        ("minute", "58-2", {58, 59, 0, 1, 2}),
        ("hour", "9-17/4", {9, 13, 17}),
        ("hour", "3/8", {3, 11, 19}),
        ("month", "jan,apr-jun", {1, 4, 5, 6}),
        ("month", "11-2", {11, 12, 1, 2}),
        ("day_of_week", "0,sat", {0, 6}),
        ("day_of_week", "mon-friday", {1, 2, 3, 4, 5}),
        ("day_of_week", "7", {0}),
        ("day_of_week", "fri-mon", {5, 6, 0, 1}),
        ("day", "1-31/10", {1, 11, 21, 31}),
    ],
)
def test_a_field_stands_for_numbers(name: str, text: str, expected: set[int]) -> None:
    assert celery_schedules.expand(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text"), [("minute", "60"), ("hour", "x"), ("day", "0"), ("minute", "*/0"), ("day", "")]
)
def test_anything_else_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidTrigger, match=name):
        celery_schedules.expand(name, text)


def test_the_sets_of_celery_are_taken_as_they_are() -> None:
    sets = {
        "minute": {0, 30},
        "hour": set(range(24)),
        "day": set(range(1, 32)),
        "month": set(range(1, 13)),
        "day_of_week": {0, 6},
    }

    found = celery_schedules.crontab(sets, timezone="Europe/Berlin")

    assert found["fields"] == {"month": "*", "day": "*", "day_of_week": "sun,sat", "hour": "*", "minute": "0,30"}


def test_an_interval_keeps_its_phase() -> None:
    last = datetime(2026, 11, 26, 8, 0, 3, tzinfo=UTC)
    trigger = celery_schedules.interval(timedelta(seconds=10), last_run_at=last)

    times = triggers.next_fire_times(trigger, after=datetime(2026, 11, 26, 9, tzinfo=UTC), count=1)

    assert times[0].second % 10 == 3
    with pytest.raises(InvalidTrigger, match="shortest interval"):
        celery_schedules.interval(timedelta(microseconds=500))
