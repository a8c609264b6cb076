"""Maintenance windows that run a job once afterwards, and fire times that are moved to another day: single cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scheduler.core import triggers
from scheduler.core.planning import calendar_changes
from scheduler.core.triggers import CalendaredTrigger
from tests.calendars import in_memory

DAY = timedelta(days=1)
MONDAY = datetime(2026, 10, 5, tzinfo=UTC)
"""On which clocks do not change."""


def compiled(rules: dict[str, tuple[str, str]], **form: Any) -> CalendaredTrigger:
    """Compile a cron trigger with windows: a rule and what happens during it, by name."""
    with in_memory() as calendars:
        pins = {name: [calendars.set(name, rule), during] for name, (rule, during) in rules.items()}
        given = {"type": "cron", "expression": "0 * * * *", "timezone": "UTC", **form, "windows": pins}
        trigger = triggers.parse(given)
    assert isinstance(trigger, CalendaredTrigger)
    return trigger


def runs(trigger: CalendaredTrigger, begin: datetime, end: datetime) -> list[str]:
    """Return the fire times that run."""
    found, moment = [], trigger.at_or_after(begin)
    while moment is not None and moment <= end:
        found += [f"{moment:%d %H:%M}"] if trigger.left_out(moment) is None else []
        moment = trigger.next_after(moment)
    return found


ONCE = "once_afterwards"


class TestWindows:
    @pytest.mark.parametrize(
        ("windows", "expression", "expected"),
        [
            pytest.param(
                {"a": ("mon 08:00-10:30", ONCE)}, "0 8-12 * * *", ["05 10:30", "05 11:00", "05 12:00"], id="one"
            ),
            pytest.param(
                {"a": ("mon 08:00-10:00", ONCE), "b": ("mon 09:30-11:15", ONCE)},
                "30 8 * * *",
                ["05 11:15"],
                id="overlapping, with one fire time in the first",
            ),
            pytest.param(
                {"a": ("mon 08:00-10:00", ONCE), "b": ("mon 10:00-11:00", ONCE)},
                "30 8,10 * * *",
                ["05 11:00"],
                id="one after the other without a gap",
            ),
            pytest.param(
                {"a": ("mon 08:00-09:00", ONCE), "b": ("mon 10:00-11:00", ONCE)},
                "30 8-11 * * *",
                ["05 09:00", "05 09:30", "05 11:00", "05 11:30"],
                id="with a gap",
            ),
            pytest.param(
                {"a": ("mon 08:00-12:00", ONCE), "b": ("mon 09:00-10:00", ONCE)},
                "30 9 * * *",
                ["05 12:00"],
                id="one inside the other",
            ),
            pytest.param(
                {"a": ("mon 08:00-10:00", ONCE), "b": ("mon 09:00-11:00", "skip")},
                "30 8 * * *",
                [],
                id="that ends in one which skips",
            ),
            pytest.param({"a": ("mon 08:00-10:00", "skip")}, "30 8,11 * * *", ["05 11:30"], id="that skips"),
            pytest.param({"a": ("mon 08:00-10:00", ONCE)}, "0 10 * * *", ["05 10:00"], id="whose end fires anyway"),
            pytest.param({"a": ("mon 08:00-10:00", ONCE)}, "0 6,12 * * *", ["05 06:00", "05 12:00"], id="without any"),
            pytest.param({"a": ("daily 22:00-02:00", ONCE)}, "30 23 * * *", ["05 02:00"], id="over midnight"),
        ],
    )
    def test_run_a_job_once_at_their_common_end(
        self, windows: dict[str, tuple[str, str]], expression: str, expected: list[str]
    ) -> None:
        trigger = compiled(windows, expression=expression)

        assert runs(trigger, MONDAY, MONDAY + DAY - timedelta(seconds=1)) == expected

    @pytest.mark.parametrize(
        ("rule", "day", "expected"),
        [
            # Clocks go forward from 02:00 to 03:00: the window lasts until 04:00, an hour later.
            ("sun 01:00-04:00", datetime(2027, 3, 28, tzinfo=UTC), ["28 02:00"]),
            # Clocks go back from 03:00 to 02:00: it ends when they show 02:30 for the first time.
            ("sun 01:00-02:30", datetime(2026, 10, 25, tzinfo=UTC), ["25 00:30"]),
        ],
    )
    def test_end_by_the_clock_when_clocks_change(self, rule: str, day: datetime, expected: list[str]) -> None:
        trigger = compiled({"a": (rule, ONCE)}, expression="30 1 * * *", timezone="Europe/Berlin")

        found = runs(trigger, day - timedelta(hours=3), day + timedelta(hours=6))

        assert found == expected

    def test_do_not_move_fire_times_to_another_day(self) -> None:
        with in_memory() as calendars:
            digest = calendars.set("a", "mon 08:00-10:00")
            calendars.set("off", "2020-01-01")
            form = {"type": "cron", "expression": "0 9 * * mon", "timezone": "UTC", "not_on": "off"}
            trigger = triggers.parse({**form, "otherwise": "next_day", "windows": {"a": [digest, ONCE]}})
        assert isinstance(trigger, CalendaredTrigger)

        assert runs(trigger, MONDAY, MONDAY + 3 * DAY) == ["05 10:00"]


class TestAWindowThatChangesWhileItHolds:
    """At 09:15 the job has been left out at 08:30 and at 09:00, and is to run at the end."""

    NOW = MONDAY.replace(hour=9, minute=15)

    def settled(self, before: str, after: str | None, *, expression: str = "0,30 8-9 * * mon") -> str:
        old = compiled({"a": (before, ONCE)}, expression=expression)
        rule = {"type": "cron", "expression": expression, "timezone": "UTC"}
        new = triggers.parse(rule) if after is None else compiled({"a": (after, ONCE)}, expression=expression)
        found = calendar_changes.settle(before=old, after=new, now=self.NOW)
        assert found.skipped == ()
        return f"{found.next_fire_time:%d %H:%M}"

    def test_is_longer_and_runs_it_at_the_new_end(self) -> None:
        assert self.settled("mon 08:00-09:20", "mon 08:00-09:25") == "05 09:25"

    def test_is_shorter_and_runs_it_at_the_new_end(self) -> None:
        assert self.settled("mon 08:00-09:29", "mon 08:00-09:20") == "05 09:20"

    def test_is_over_already_and_runs_it_at_the_end_that_was_announced(self) -> None:
        assert self.settled("mon 08:00-09:25", "mon 08:00-09:10") == "05 09:25"

    def test_is_deleted_and_runs_it_at_the_end_that_was_announced(self) -> None:
        assert self.settled("mon 08:00-09:25", None) == "05 09:25"

    def test_is_deleted_and_the_next_fire_time_comes_first(self) -> None:
        assert self.settled("mon 08:00-11:00", None) == "05 09:30"


class TestFireTimesThatAreMoved:
    def moved(self, otherwise: str, *off: str, **form: Any) -> CalendaredTrigger:
        with in_memory() as calendars:
            calendars.set("off", *off)
            given = {"type": "cron", "expression": "0 9 * * *", "timezone": "UTC", **form}
            trigger = triggers.parse({**given, "not_on": "off", "otherwise": otherwise})
        assert isinstance(trigger, CalendaredTrigger)
        return trigger

    @pytest.mark.parametrize(
        ("otherwise", "expression", "off", "expected"),
        [
            pytest.param("next_day", "0 9 * * *", ["mon-wed"], ["08 09:00"], id="onto a day that fires anyway"),
            pytest.param("next_day", "0 9 * * mon-wed", ["mon-wed"], ["08 09:00"], id="several onto one day"),
            pytest.param("previous_day", "0 9 * * tue,wed", ["tue-wed"], ["05 09:00"], id="several onto a day before"),
            pytest.param("next_day", "0 9,15 * * mon", ["mon"], ["06 09:00", "06 15:00"], id="with their times of day"),
            pytest.param("next_day", "0 9 * * mon", ["2026-10-05..2026-11-20"], [], id="farther than 31 days"),
            pytest.param("next_day", "0 9 * * mon", ["2026-10-05..2026-10-07"], ["08 09:00"], id="over several days"),
        ],
    )
    def test_collide_without_running_twice(
        self, otherwise: str, expression: str, off: list[str], expected: list[str]
    ) -> None:
        trigger = self.moved(otherwise, *off, expression=expression)

        assert runs(trigger, MONDAY, MONDAY + 3 * DAY + timedelta(hours=20)) == expected

    def test_may_lie_after_the_end_and_before_the_start(self) -> None:
        later = self.moved("next_day", "mon", end_at="2026-10-05T12:00:00")
        earlier = self.moved("previous_day", "mon", start_at="2026-10-05T00:00:00")

        assert runs(later, MONDAY, MONDAY + 3 * DAY) == ["06 09:00"]
        assert runs(earlier, MONDAY - 2 * DAY, MONDAY + DAY) == ["04 09:00"]

    def test_do_not_run_when_the_earlier_day_has_passed_already(self) -> None:
        """On Sunday, Monday becomes a day off whose run would have been on Saturday."""
        before = triggers.parse({"type": "cron", "expression": "0 9 * * mon", "timezone": "UTC"})
        after = self.moved("previous_day", "sun-mon", expression="0 9 * * mon")

        found = calendar_changes.settle(before=before, after=after, now=MONDAY - timedelta(hours=12))

        assert found.next_fire_time == MONDAY.replace(hour=9)
        assert after.left_out(MONDAY.replace(hour=9)) is not None
        assert found.skipped == ()

    def test_of_which_several_lose_their_day_keep_the_earliest(self) -> None:
        """On Monday evening, the calendar that moved two fire times to Tuesday is emptied."""
        before = self.moved("next_day", "mon", expression="0 9,15 * * mon")
        after = self.moved("next_day", "2020-01-01", expression="0 9,15 * * mon")

        found = calendar_changes.settle(before=before, after=after, now=MONDAY.replace(hour=20))

        assert found.next_fire_time == MONDAY.replace(hour=9) + DAY
