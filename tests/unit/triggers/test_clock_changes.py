"""What happens to fire times when clocks change, against an oracle that looks at a clock every minute."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from scheduler.core.triggers import ClockEffect, clock_change, next_fire_times, normalize, parse
from tests.unit.triggers.oracle import fire_times, utc
from tests.unit.triggers.sweep import EXPRESSIONS

MOMENT = timedelta(microseconds=1)

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Europe/London",
    "Australia/Sydney",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Australia/Lord_Howe",
)

CHANGES = (
    ("Europe/Berlin", utc(2027, 3, 28)),
    ("Europe/Berlin", utc(2027, 10, 31)),
    ("America/New_York", utc(2027, 3, 14)),
    ("America/New_York", utc(2027, 11, 7)),
    ("Australia/Lord_Howe", utc(2027, 4, 3)),
    ("Australia/Lord_Howe", utc(2027, 10, 2)),
    ("Asia/Beirut", utc(2027, 3, 27)),
    ("Asia/Beirut", utc(2027, 10, 30)),
    ("Africa/Cairo", utc(2027, 4, 29)),
    ("America/Havana", utc(2027, 11, 7)),
    ("Africa/Casablanca", utc(2027, 2, 7)),
    ("Pacific/Apia", utc(2011, 12, 30)),
)


def cron(expression: str, zone: str) -> dict[str, str]:
    return {"type": "cron", "expression": expression, "timezone": zone}


def year(zone: str) -> tuple[datetime, datetime]:
    """The first moment of 2027 in a zone, and the last one."""
    start, end = (datetime(number, 1, 1, tzinfo=ZoneInfo(zone)) for number in (2027, 2028))
    return start.astimezone(ZoneInfo("UTC")), end.astimezone(ZoneInfo("UTC")) - MOMENT


class TestAYear:
    @pytest.mark.parametrize("zone", ZONES)
    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            ({"expression": "0 0 * * *"}, 365),
            ({"expression": "0 0 0 * * *"}, 365),
            ({"expression": "30 1 * * *"}, 365),
            ({"expression": "0 0 1 * *"}, 12),
            ({"fields": {"hour": 0}}, 365),
            ({"fields": {"day": 1}}, 12),
        ],
    )
    def test_has_every_day_and_every_month(self, zone, when, expected):
        trigger = parse({"type": "cron", **when, "timezone": zone})
        start, end = year(zone)

        found = next_fire_times({"type": "cron", **when, "timezone": zone}, after=start - MOMENT, count=expected)

        assert found[-1] <= end
        assert trigger.next_after(found[-1]) > end
        assert len({moment.astimezone(ZoneInfo(zone)).date() for moment in found}) == expected
        assert trigger.count(first=found[0], until=end) == expected


class TestAgainstTheOracle:
    @pytest.mark.parametrize(("zone", "change"), CHANGES)
    def test_every_way_of_asking_agrees(self, zone, change):
        start, end = change - timedelta(hours=18), change + timedelta(hours=42)
        for expression in EXPRESSIONS:
            expected = fire_times(expression, zone, start, end)
            trigger = parse(cron(expression, zone))

            assert _forward(trigger, start, end) == expected, expression
            assert _backward(trigger, start, end) == expected, expression
            assert trigger.count_after(start - MOMENT, until=end - MOMENT) == len(expected), expression

    @pytest.mark.parametrize(("zone", "change"), CHANGES)
    def test_counting_from_within_a_change_agrees(self, zone, change):
        start, end = change - timedelta(hours=18), change + timedelta(hours=24)
        for expression in ("0-59 1 * * *", "*/20 0-3 * * *", "0 2,3 * * *"):
            expected = fire_times(expression, zone, start, end)
            trigger = parse(cron(expression, zone))
            for minutes in range(0, 42 * 60, 17):
                since = start + timedelta(minutes=minutes)

                counted = trigger.count_after(since, until=end - MOMENT)

                assert counted == len([moment for moment in expected if moment > since]), (expression, since)

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Beirut"])
    def test_fields_and_seconds_obey_the_same_rules(self, zone):
        start, end = utc(2027, 1, 1), utc(2028, 1, 1)
        for minute, hour in (("30", "2"), ("0,30", "0-3"), ("*/30", "0-3"), ("15", "*/2")):
            plain = parse(cron(f"{minute} {hour} * * *", zone))
            seconds = parse(cron(f"0 {minute} {hour} * * *", zone))
            fields = parse({"type": "cron", "fields": {"hour": hour, "minute": minute}, "timezone": zone})

            expected = _forward(plain, start, end)

            assert _forward(seconds, start, end) == expected
            assert _forward(fields, start, end) == expected


class TestTheGap:
    def test_a_fixed_time_in_it_fires_once_right_after_it(self):
        found = next_fire_times(cron("30 2 * * *", "Europe/Berlin"), after=utc(2027, 3, 27, 12), count=2)

        assert found == [utc(2027, 3, 28, 1), utc(2027, 3, 29, 0, 30)]

    def test_several_fixed_times_in_it_are_one(self):
        found = next_fire_times(cron("0,20,40 2,3 * * *", "Europe/Berlin"), after=utc(2027, 3, 28), count=3)

        assert found == [utc(2027, 3, 28, 1), utc(2027, 3, 28, 1, 20), utc(2027, 3, 28, 1, 40)]

    def test_a_time_to_the_second_is_not_rounded(self):
        found = next_fire_times(cron("17 30 2 * * *", "Europe/Berlin"), after=utc(2027, 3, 28), count=1)

        assert found == [utc(2027, 3, 28, 1)]

    def test_half_an_hour_at_lord_howe(self):
        found = next_fire_times(cron("15 2 * * *", "Australia/Lord_Howe"), after=utc(2027, 10, 2, 12), count=2)

        assert found == [utc(2027, 10, 2, 15, 30), utc(2027, 10, 3, 15, 15)]

    def test_a_calendar_trigger_is_not_left_out(self):
        trigger = {"type": "calendar", "days": 1, "at": "02:30", "timezone": "Europe/Berlin"}

        found = next_fire_times({**trigger, "start_at": "2027-03-27"}, after=utc(2027, 3, 27), count=3)

        assert found == [utc(2027, 3, 27, 1, 30), utc(2027, 3, 28, 1), utc(2027, 3, 29, 0, 30)]


class TestTheRepeatedHour:
    def test_a_fixed_time_in_it_fires_the_first_time(self):
        found = next_fire_times(cron("30 1 * * *", "America/New_York"), after=utc(2027, 11, 7), count=2)

        assert found == [utc(2027, 11, 7, 5, 30), utc(2027, 11, 8, 6, 30)]

    def test_a_wildcard_fires_both_times(self):
        found = next_fire_times(cron("*/30 1 * * *", "America/New_York"), after=utc(2027, 11, 7), count=4)

        assert found == [utc(2027, 11, 7, 5), utc(2027, 11, 7, 5, 30), utc(2027, 11, 7, 6), utc(2027, 11, 7, 6, 30)]

    def test_an_interval_does_not_care(self):
        trigger = {"type": "interval", "hours": 1, "start_at": "2027-10-31T00:00:00", "timezone": "Europe/Berlin"}

        found = next_fire_times(trigger, after=utc(2027, 10, 30, 22), count=5)

        assert [later - earlier for earlier, later in pairwise(found)] == [timedelta(hours=1)] * 4


def _forward(trigger, start, end):
    found = []
    moment = trigger.next_after(start - MOMENT)
    while moment is not None and moment < end:
        found.append(moment)
        moment = trigger.next_after(moment)
    return found


def _backward(trigger, start, end):
    found = []
    moment = trigger.at_or_before(end - MOMENT)
    while moment is not None and moment >= start:
        found.append(moment)
        moment = trigger.at_or_before(moment - MOMENT)
    return found[::-1]


BERLIN = {"timezone": "Europe/Berlin"}
DAILY = {"type": "cron", "expression": "30 2 * * *", **BERLIN}
ALWAYS = {"type": "cron", "expression": "*/30 * * * *", **BERLIN}
SPRING, AUTUMN = utc(2027, 3, 28), utc(2027, 10, 31)
GAP = (ClockEffect.LEFT_OUT, "02:30")


class TestClockChange:
    @pytest.mark.parametrize(
        ("trigger", "after", "said"),
        [
            (DAILY, SPRING, GAP),
            (DAILY, AUTUMN, (ClockEffect.FIRST_ONLY, "02:30")),
            (DAILY, utc(2027, 3, 29), None),
            ({"type": "cron", "expression": "0 3 * * *", **BERLIN}, SPRING, None),
            ({"type": "cron", "expression": "15,45 2 * * *", **BERLIN}, SPRING, (ClockEffect.LEFT_OUT, "02:15")),
            ({"type": "calendar", "days": 1, "at": "02:30", **BERLIN}, SPRING, GAP),
            (ALWAYS, utc(2027, 3, 28, 0, 30), None),
            (ALWAYS, utc(2027, 10, 31, 0, 0), (ClockEffect.FIRST_OF_TWO, "02:30")),
            (ALWAYS, utc(2027, 10, 31, 1, 0), (ClockEffect.SECOND_OF_TWO, "02:30")),
            (ALWAYS, utc(2027, 10, 31, 1, 30), None),
            ({"type": "date", "run_at": "2027-03-28T02:30", **BERLIN}, SPRING, GAP),
            ({"type": "date", "run_at": "2027-03-28T03:30", **BERLIN}, SPRING, None),
            ({"type": "interval", "hours": 1, **BERLIN}, AUTUMN, (ClockEffect.SECOND_OF_TWO, "02:00")),
            ({"type": "or", "triggers": [{"type": "date", "run_at": "2031-01-01T00:00Z"}, DAILY]}, SPRING, GAP),
            ({"type": "cron", "expression": "30 2 * * *"}, SPRING, None),
            (
                {"type": "cron", "expression": "10 2 * * *", "timezone": "Australia/Lord_Howe"},
                utc(2027, 10, 2),
                (ClockEffect.LEFT_OUT, "02:10"),
            ),
        ],
    )  # fmt: skip
    def test_says_what_clocks_do_at_the_next_fire_time(
        self, trigger: dict[str, object], after: datetime, said: tuple[ClockEffect, str] | None
    ) -> None:
        stored = normalize(trigger, now=after)
        fire_time = next_fire_times(stored, after=after, count=1)[0]

        change = clock_change(parse(stored), fire_time=fire_time)

        assert (change and (change.effect, change.wall)) == said
