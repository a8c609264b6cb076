"""What we owe to APScheduler about triggers: its objects are accepted, given back, and fire when it says they do."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import pytz
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from hypothesis import assume, given, settings

from scheduler.core.triggers import InvalidTrigger, next_fire_times, normalize
from scheduler.core.triggers.apscheduler import JsonTrigger, from_apscheduler, to_apscheduler
from tests.unit.triggers import strategies

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def stock_fire_times(trigger, count=30):
    """What APScheduler's own trigger answers, asked as its scheduler asks."""
    found = []
    previous, now = None, NOW + timedelta(microseconds=1)
    while len(found) < count and (previous := trigger.get_next_fire_time(previous, now)) is not None:
        found.append(previous.astimezone(UTC))
        now = previous
    return found


class TestFromApscheduler:
    @pytest.mark.parametrize(
        ("trigger", "form"),
        [
            (
                DateTrigger(datetime(2027, 3, 1, 9, tzinfo=BERLIN)),
                {"type": "date", "run_at": "2027-03-01T09:00:00", "timezone": "Europe/Berlin"},
            ),
            (
                DateTrigger("2027-07-01 09:00:00", timezone="America/New_York"),
                {"type": "date", "run_at": "2027-07-01T09:00:00", "timezone": "America/New_York"},
            ),
            (
                DateTrigger(pytz.timezone("Europe/Berlin").localize(datetime(2027, 7, 1, 9))),  # noqa: DTZ001
                {"type": "date", "run_at": "2027-07-01T09:00:00", "timezone": "Europe/Berlin"},
            ),
            (
                IntervalTrigger(minutes=30, start_date=NOW, timezone="UTC", jitter=20),
                {
                    "type": "interval",
                    "minutes": 30,
                    "timezone": "UTC",
                    "start_at": "2026-11-23T04:00:00Z",
                    "jitter_seconds": 20,
                },
            ),
            (
                IntervalTrigger(
                    days=1, start_date=NOW, end_date=NOW + timedelta(days=9), timezone=timezone(timedelta(hours=2))
                ),
                {
                    "type": "interval",
                    "days": 1,
                    "timezone": "+02:00",
                    "start_at": "2026-11-23T06:00:00+02:00",
                    "end_at": "2026-12-02T06:00:00",
                },
            ),
            (
                CronTrigger(day_of_week="mon-fri", hour="9-17", minute="*/15", timezone="Europe/Berlin"),
                {
                    "type": "cron",
                    "fields": {"day_of_week": "mon-fri", "hour": "9-17", "minute": "*/15"},
                    "timezone": "Europe/Berlin",
                },
            ),
            (
                CronTrigger.from_crontab("0 2 1 * *", timezone=timezone(timedelta(hours=-3))),
                {
                    "type": "cron",
                    "fields": {"month": "*", "day": "1", "day_of_week": "*", "hour": "2", "minute": "0"},
                    "timezone": "-03:00",
                },
            ),
            (CronTrigger(timezone="UTC"), {"type": "cron", "fields": {"second": "*"}, "timezone": "UTC"}),
            (
                CalendarIntervalTrigger(months=1, hour=2, minute=30, start_date="2027-01-31", timezone="Europe/Berlin"),
                {
                    "type": "calendar",
                    "months": 1,
                    "at": "02:30",
                    "timezone": "Europe/Berlin",
                    "start_at": "2027-01-31T00:00:00",
                },
            ),
            (
                OrTrigger([CronTrigger(hour=2, timezone="UTC"), DateTrigger(NOW, timezone="UTC")], jitter=5),
                {
                    "type": "or",
                    "triggers": [
                        {"type": "cron", "fields": {"hour": "2"}, "timezone": "UTC"},
                        {"type": "date", "run_at": "2026-11-23T04:00:00", "timezone": "UTC"},
                    ],
                    "timezone": "UTC",
                    "jitter_seconds": 5,
                },
            ),
            (
                AndTrigger([CronTrigger(day=13, timezone="UTC"), CronTrigger(day_of_week="sun", timezone="UTC")]),
                {
                    "type": "and",
                    "triggers": [
                        {"type": "cron", "fields": {"day": "13"}, "timezone": "UTC"},
                        {"type": "cron", "fields": {"day_of_week": "sun"}, "timezone": "UTC"},
                    ],
                    "timezone": "UTC",
                },
            ),
        ],
    )
    def test_writes_each_of_its_classes(self, trigger, form):
        assert from_apscheduler(trigger) == form
        assert normalize(form, now=NOW) == form

    def test_refuses_a_subclass_by_name(self):
        class Holidays(CronTrigger):
            pass

        with pytest.raises(InvalidTrigger, match=r"test_triggers.*Holidays cannot be stored"):
            from_apscheduler(Holidays(hour=2, timezone="UTC"))

    def test_refuses_a_foreign_trigger_inside_a_combination(self):
        class Moon(BaseTrigger):
            def get_next_fire_time(self, previous_fire_time, now):
                return None

        with pytest.raises(InvalidTrigger, match="Moon cannot be stored"):
            from_apscheduler(OrTrigger([Moon()]))

    def test_refuses_an_interval_under_a_second(self):
        with pytest.raises(InvalidTrigger, match="from one second"):
            from_apscheduler(IntervalTrigger(seconds=0.1, start_date=NOW, timezone="UTC"))


class TestFireTimes:
    @pytest.mark.parametrize(
        "trigger",
        [
            CronTrigger(day_of_week="mon-fri", hour="9-17", minute="*/15", timezone="UTC"),
            CronTrigger(day="last", hour=3, timezone="UTC"),
            CronTrigger(day="2nd sun,last fri", timezone="UTC"),
            CronTrigger(month="jan-mar,11", day="*/7", hour="*/5", timezone="UTC"),
            CronTrigger(week="*/10", timezone="UTC"),
            CronTrigger(year="2027-2029", month=2, timezone="UTC"),
            CronTrigger(minute="5-50/7", second="1,2", timezone="UTC"),
            CronTrigger.from_crontab("0 0 13 * 4", timezone="UTC"),
            IntervalTrigger(minutes=7, start_date=NOW - timedelta(days=1), timezone="UTC"),
            CalendarIntervalTrigger(months=1, hour=2, start_date="2026-12-31", timezone="UTC"),
            CalendarIntervalTrigger(months=2, weeks=1, days=3, start_date="2026-12-31", timezone="UTC"),
            CalendarIntervalTrigger(years=1, start_date="2028-02-29", timezone="UTC"),
            OrTrigger([CronTrigger(hour="*/5", timezone="UTC"), CronTrigger(hour="*/7", timezone="UTC")]),
        ],
        ids=str,
    )
    def test_are_those_of_apscheduler_where_clocks_do_not_change(self, trigger):
        expected = stock_fire_times(trigger)

        assert next_fire_times(from_apscheduler(trigger), after=NOW, count=30) == expected

    def test_of_a_first_agreement_are_those_of_apscheduler(self):
        trigger = AndTrigger([CronTrigger(day=13, timezone="UTC"), CronTrigger(day_of_week="fri", timezone="UTC")])

        assert next_fire_times(from_apscheduler(trigger), after=NOW, count=1) == [trigger.get_next_fire_time(None, NOW)]

    def test_of_midnight_are_more_than_those_of_apscheduler_where_they_do(self):
        trigger = CronTrigger(hour=0, timezone="Europe/Berlin")
        change = datetime(2027, 3, 28, 12, tzinfo=UTC)

        stock = trigger.get_next_fire_time(change - timedelta(hours=13), change)
        ours = to_apscheduler(from_apscheduler(trigger)).get_next_fire_time(change - timedelta(hours=13), change)

        assert ours == datetime(2027, 3, 29, 0, tzinfo=BERLIN)
        assert stock != ours


class TestToApscheduler:
    @settings(max_examples=150, deadline=None)
    @given(form=strategies.triggers, now=strategies.moments)
    def test_can_be_undone(self, form, now):
        try:
            stored = normalize(form, now=now)
        except InvalidTrigger:
            assume(False)

        trigger = to_apscheduler(stored)

        assert from_apscheduler(trigger) == stored
        assert from_apscheduler(pickle.loads(pickle.dumps(trigger))) == stored  # noqa: S301

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ({"type": "date", "run_at": "2027-03-01T09:00", "timezone": "Europe/Berlin"}, DateTrigger),
            ({"type": "interval", "minutes": 30, "jitter_seconds": 5}, IntervalTrigger),
            ({"type": "cron", "expression": "0 2 * * *"}, JsonTrigger),
        ],
    )
    def test_gives_a_class_of_its_own_where_that_is_right(self, form, expected):
        assert type(to_apscheduler(normalize(form, now=NOW))) is expected


class TestJsonTrigger:
    def test_answers_on_the_clock_of_its_zone(self):
        trigger = to_apscheduler({"type": "cron", "expression": "0 2 * * *", "timezone": "Europe/Berlin"})

        first = trigger.get_next_fire_time(None, NOW)

        assert first == datetime(2026, 11, 24, 2, tzinfo=BERLIN)
        assert str(first.tzinfo) == "Europe/Berlin"
        assert trigger.get_next_fire_time(first, NOW) == datetime(2026, 11, 25, 2, tzinfo=BERLIN)

    def test_leaves_jitter_to_the_engine(self):
        trigger = to_apscheduler({"type": "cron", "expression": "0 2 * * *", "jitter_seconds": 3600})

        assert {trigger.get_next_fire_time(None, NOW) for _ in range(20)} == {datetime(2026, 11, 24, 2, tzinfo=UTC)}

    def test_reads_as_words(self):
        assert str(to_apscheduler({"type": "cron", "expression": "0 2 * * *"})) == "at 02:00 every day, UTC"

    def test_is_equal_by_its_json(self):
        form = {"type": "cron", "expression": "0 2 * * *"}

        assert JsonTrigger(form) == JsonTrigger({**form, "timezone": "UTC"})
        assert JsonTrigger(form) != JsonTrigger({**form, "timezone": "Europe/Berlin"})
