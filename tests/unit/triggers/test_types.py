"""Each type of trigger: what it means, beyond what all have in common."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta

import pytest
from cronsim import CronSim
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.core.triggers import (
    InvalidTrigger,
    NeverFires,
    describe,
    first_fire_time,
    next_fire_times,
    normalize,
    parse,
)
from scheduler.core.triggers.cron.special_days import SpecialDay
from tests.unit.triggers.oracle import utc

NOW = utc(2026, 11, 23, 4)


def days(form, count, after=NOW):
    return [moment.date().isoformat() for moment in next_fire_times(form, after=after, count=count)]


def cron(expression, **more):
    return {"type": "cron", "expression": expression, **more}


class TestCron:
    @pytest.mark.parametrize(
        ("written", "means"),
        [
            ("0 22-2 * * *", "0 0,1,2,22,23 * * *"),
            ("0 22-2/2 * * *", "0 0,2,22 * * *"),
            ("0 0 * * sat-sun", "0 0 * * 0,6"),
            ("0 0 * * fri-mon", "0 0 * * 0,1,5,6"),
            ("0 0 * * fri-mon/2", "0 0 * * 0,5"),
            ("0 0 * * 6-1", "0 0 * * 0,1,6"),
            ("0 0 * * 7", "0 0 * * 0"),
            ("0 0 * * 5-7", "0 0 * * 0,5,6"),
            ("0 0 * nov-feb *", "0 0 * 1,2,11,12 *"),
            ("0 0 28-2 * *", "0 0 1,2,28-31 * *"),
            ("0 0 ? * MON", "0 0 * * 1"),
            ("0 0 * * friL", "0 0 * * 5L"),
            ("0 0 * * sun#2", "0 0 * * 7#2"),
            ("@hourly", "0 * * * *"),
            ("@Daily", "0 0 * * *"),
            ("@midnight", "0 0 * * *"),
            ("@weekly", "0 0 * * 0"),
            ("@monthly", "0 0 1 * *"),
            ("@yearly", "0 0 1 1 *"),
            ("@annually", "0 0 1 1 *"),
            ("  0   2 * * * ", "0 2 * * *"),
        ],
    )
    def test_has_more_than_one_spelling(self, written, means):
        assert next_fire_times(cron(written), after=NOW, count=60) == next_fire_times(cron(means), after=NOW, count=60)

    @pytest.mark.parametrize(
        "expression",
        [
            *("0 0 13 * 5", "0 0 */2 * 1", "0 0 1-7 * 0", "0 0 L * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * 1#2"),
            *("0 0 29 2 *", "5/20 * * * *", "0 0 15,L * *", "0 0 * 1/3 */3", "*/7 */5 * * *"),
        ],
    )
    def test_has_the_days_that_cronsim_has(self, expression):
        reference = CronSim(expression, NOW)

        expected = [next(reference) for _ in range(40)]

        assert next_fire_times(cron(expression), after=NOW, count=40) == expected

    def test_takes_either_day_of_month_or_weekday(self):
        assert days(cron("0 0 13 * 5"), 4) == ["2026-11-27", "2026-12-04", "2026-12-11", "2026-12-13"]

    def test_counts_sunday_as_0_and_7(self):
        assert days(cron("0 0 * * 0"), 1) == days(cron("0 0 * * 7"), 1) == ["2026-11-29"]

    def test_may_begin_with_seconds(self):
        found = next_fire_times(cron("*/20 0 4 * * *"), after=NOW, count=3)

        assert found == [NOW + timedelta(seconds=20), NOW + timedelta(seconds=40), NOW + timedelta(days=1)]

    def test_is_strictly_after_now(self):
        assert first_fire_time(cron("0 4 * * *"), now=NOW) == NOW + timedelta(days=1)
        assert first_fire_time(cron("0 4 * * *"), now=NOW - timedelta(microseconds=1)) == NOW

    def test_stays_between_start_and_end(self):
        form = cron("0 * * * *", timezone="Europe/Berlin", start_at="2026-11-24T08:00", end_at="2026-11-24T09:00")

        assert next_fire_times(form, after=NOW, count=9) == [utc(2026, 11, 24, 7), utc(2026, 11, 24, 8)]


class TestSpecialDays:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("0 0 15W * *", ["2026-12-15", "2027-01-15", "2027-02-15", "2027-03-15", "2027-04-15", "2027-05-14"]),
            ("0 0 1W * *", ["2026-12-01", "2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01", "2027-05-03"]),
            ("0 0 31W * *", ["2026-12-31", "2027-01-29", "2027-03-31", "2027-05-31"]),
            ("0 0 L-2 * *", ["2026-11-28", "2026-12-29", "2027-01-29", "2027-02-26"]),
            ("0 0 L-30 * *", ["2026-12-01", "2027-01-01", "2027-03-01"]),
            ("0 0 15W,L * *", ["2026-11-30", "2026-12-15", "2026-12-31"]),
            ("0 0 15w,20 * *", ["2026-12-15", "2026-12-20", "2027-01-15"]),
            ("0 0 15W * sun", ["2026-11-29", "2026-12-06", "2026-12-13", "2026-12-15", "2026-12-20"]),
            ("0 0 L-2 2 *", ["2027-02-26", "2028-02-27"]),
            ("0 0 * * FRI#L", ["2026-11-27", "2026-12-25"]),
        ],
    )
    def test_are_those_of_quartz(self, expression, expected):
        assert days(cron(expression), len(expected)) == expected

    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("0 2 15W * *", "at 02:00 on the weekday nearest to the 15th of every month, UTC"),
            ("0 2 L-2 * *", "at 02:00 on the day that is 2 days before the last of every month, UTC"),
            ("0 2 31 * *", "at 02:00 on the 31st of every month that has it, UTC"),
            ("0 2 28 * *", "at 02:00 on the 28th of every month, UTC"),
            ("0 2 31 1,3 *", "at 02:00 on the 31st of January and March, UTC"),
            ("0 2 * * fri#L", "at 02:00 on the last Friday of the month, UTC"),
        ],
    )
    def test_are_described(self, expression, words):
        assert describe(cron(expression)) == words

    @settings(max_examples=200, deadline=None)
    @given(number=st.integers(1, 31), month=st.dates(date(2000, 1, 1), date(2100, 1, 1)))
    def test_is_the_weekday_at_the_least_distance_in_its_month(self, number, month):
        last = monthrange(month.year, month.month)[1]
        assume(number <= last)
        weekdays = [day for day in range(1, last + 1) if month.replace(day=day).weekday() < 5]
        nearest = SpecialDay.read(f"{number}W")

        matching = [day for day in range(1, last + 1) if nearest.matches(month.replace(day=day))]

        assert matching == [min(weekdays, key=lambda day: abs(day - number))]


class TestFields:
    def test_must_all_match(self):
        form = {"type": "cron", "fields": {"day": 13, "day_of_week": "fri"}}

        assert days(form, 2) == ["2027-08-13", "2028-10-13"]

    def test_count_weekdays_from_monday(self):
        assert days({"type": "cron", "fields": {"day_of_week": 0}}, 1) == ["2026-11-30"]

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"day": "last"}, "2026-11-30"),
            ({"day": "2nd sun"}, "2026-12-13"),
            ({"day": "last fri"}, "2026-11-27"),
            ({"week": 1}, "2027-01-04"),
            ({"month": "feb"}, "2027-02-01"),
            ({"year": 2028}, "2028-01-01"),
            ({"year": "2028-2030", "month": 3, "day": 5}, "2028-03-05"),
        ],
    )
    def test_speak_the_language_of_apscheduler(self, fields, expected):
        assert days({"type": "cron", "fields": fields}, 1) == [expected]

    def test_after_the_last_one_given_are_at_their_minimum(self):
        form = {"type": "cron", "fields": {"minute": 5}}

        assert next_fire_times(form, after=NOW, count=2) == [utc(2026, 11, 23, 4, 5), utc(2026, 11, 23, 5, 5)]

    def test_are_stored_as_text_in_order(self):
        form = {"type": "cron", "fields": {"minute": 5, "hour": " 1-3 , 7", "day_of_week": "MON-FRI"}}

        stored = normalize(form, now=NOW)

        assert list(stored["fields"].items()) == [("day_of_week", "mon-fri"), ("hour", "1-3,7"), ("minute", "5")]


class TestInterval:
    def test_starts_one_interval_from_now(self):
        stored = normalize({"type": "interval", "minutes": 30, "timezone": "Europe/Berlin"}, now=NOW)

        assert stored == {
            "type": "interval",
            "minutes": 30,
            "timezone": "Europe/Berlin",
            "start_at": "2026-11-23T05:30:00+01:00",
        }
        assert first_fire_time(stored, now=NOW) == NOW + timedelta(minutes=30)

    def test_keeps_its_phase_when_it_is_resumed(self):
        stored = normalize({"type": "interval", "hours": 1}, now=NOW + timedelta(minutes=7))

        assert first_fire_time(stored, now=NOW + timedelta(days=3)) == NOW + timedelta(days=3, minutes=7)

    def test_fires_at_a_start_that_is_now(self):
        form = {"type": "interval", "hours": 1, "start_at": NOW.isoformat()}

        assert first_fire_time(form, now=NOW) == NOW
        assert first_fire_time(form, now=NOW + timedelta(seconds=1)) == NOW + timedelta(hours=1)

    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ({"seconds": 90}, {"seconds": 90}),
            ({"seconds": 3600}, {"hours": 1}),
            ({"hours": 1, "minutes": 30}, {"minutes": 90}),
            ({"days": 7}, {"weeks": 1}),
            ({"seconds": 1.5}, {"seconds": 1.5}),
        ],
    )
    def test_is_stored_in_the_largest_unit_that_fits(self, given, stored):
        form = normalize({"type": "interval", **given}, now=NOW)

        assert {
            key: value for key, value in form.items() if key in ("weeks", "days", "hours", "minutes", "seconds")
        } == stored

    def test_ends(self):
        form = {"type": "interval", "hours": 1, "end_at": (NOW + timedelta(hours=2)).isoformat()}

        assert next_fire_times(form, after=NOW, count=9) == [NOW + timedelta(hours=1), NOW + timedelta(hours=2)]

    def test_that_ends_before_it_starts_is_refused(self):
        form = {"type": "interval", "hours": 1, "end_at": (NOW + timedelta(minutes=2)).isoformat()}

        with pytest.raises(NeverFires, match="ends before its first run"):
            normalize(form, now=NOW)

    def test_ends_with_time_itself(self):
        trigger = parse({"type": "interval", "weeks": 5000, "start_at": "2026-01-01T00:00:00Z"})

        assert trigger.next_after(datetime(9990, 1, 1, tzinfo=UTC)) is None


class TestDate:
    def test_without_an_offset_is_on_the_clock_of_its_zone(self):
        form = {"type": "date", "run_at": "2027-03-01T09:00:00", "timezone": "Europe/Berlin"}

        assert first_fire_time(form, now=NOW) == utc(2027, 3, 1, 8)
        assert normalize(form, now=NOW)["run_at"] == "2027-03-01T09:00:00"

    def test_keeps_the_offset_it_was_written_with(self):
        form = {"type": "date", "run_at": "2027-03-01T09:00:00+01:00"}

        assert normalize(form, now=NOW) == {"type": "date", "run_at": "2027-03-01T09:00:00", "timezone": "+01:00"}

    def test_in_a_gap_is_right_after_it(self):
        form = {"type": "date", "run_at": "2027-03-28T02:30:00.5", "timezone": "Europe/Berlin"}

        assert first_fire_time(form, now=NOW) == utc(2027, 3, 28, 1)

    def test_that_is_over_is_left_to_the_grace_time(self):
        form = {"type": "date", "run_at": "2026-11-22T14:00:00Z"}

        assert first_fire_time(form, now=NOW) == utc(2026, 11, 22, 14)
        assert parse(form).next_after(NOW) is None

    def test_fires_once(self):
        form = {"type": "date", "run_at": NOW.isoformat()}

        assert parse(form).next_after(NOW) is None
        assert parse(form).next_after(NOW - timedelta(seconds=1)) == NOW


class TestCalendar:
    def test_leaves_out_months_without_the_day(self):
        form = {"type": "calendar", "months": 1, "at": "02:30", "start_at": "2027-01-31"}

        assert days(form, 4) == ["2027-01-31", "2027-03-31", "2027-05-31", "2027-07-31"]

    def test_leaves_out_years_without_29_february(self):
        assert days({"type": "calendar", "years": 1, "start_at": "2028-02-29"}, 3) == [
            "2028-02-29",
            "2032-02-29",
            "2036-02-29",
        ]

    def test_adds_days_after_months(self):
        form = {"type": "calendar", "months": 1, "days": 3, "start_at": "2027-01-31"}

        assert days(form, 3) == ["2027-01-31", "2027-04-03", "2027-05-06"]

    def test_counts_days_across_years(self):
        assert days({"type": "calendar", "weeks": 2, "start_at": "2026-12-20"}, 3) == [
            "2026-12-20",
            "2027-01-03",
            "2027-01-17",
        ]

    def test_begins_today_if_its_time_is_still_to_come(self):
        assert days({"type": "calendar", "days": 2, "at": "05:00"}, 2) == ["2026-11-23", "2026-11-25"]
        assert days({"type": "calendar", "days": 2, "at": "03:00"}, 2) == ["2026-11-25", "2026-11-27"]

    def test_stores_the_date_it_is_counted_from(self):
        form = {"type": "calendar", "months": 1, "at": "2:30", "timezone": "America/New_York"}

        assert normalize(form, now=NOW) == {
            "type": "calendar",
            "months": 1,
            "at": "02:30",
            "timezone": "America/New_York",
            "start_at": "2026-11-22T00:00:00",
        }


class TestOr:
    def test_fires_once_where_several_agree(self):
        form = {"type": "or", "triggers": [cron("0 */2 * * *"), cron("0 */3 * * *")]}

        found = next_fire_times(form, after=utc(2026, 11, 23), count=5)

        assert [moment.hour for moment in found] == [2, 3, 4, 6, 8]

    def test_goes_on_while_one_does(self):
        form = {"type": "or", "triggers": [{"type": "date", "run_at": "2026-11-23T05:00Z"}, cron("@daily")]}

        assert next_fire_times(form, after=NOW, count=2) == [utc(2026, 11, 23, 5), utc(2026, 11, 24)]

    def test_stores_the_phase_of_its_intervals(self):
        stored = normalize({"type": "or", "triggers": [{"type": "interval", "hours": 5}]}, now=NOW)

        assert stored["triggers"][0]["start_at"] == "2026-11-23T09:00:00Z"


class TestAnd:
    def test_fires_where_all_agree(self):
        form = {"type": "and", "triggers": [cron("0 0 13 * *"), cron("0 0 * * fri")]}

        assert days(form, 3) == ["2027-08-13", "2028-10-13", "2029-04-13"]

    def test_compares_instants_not_clocks(self):
        form = {"type": "and", "triggers": [cron("0 9 * * *", timezone="Europe/Berlin"), cron("0 8 * * *")]}

        found = next_fire_times(form, after=utc(2027, 3, 26), count=3)

        assert found == [utc(2027, 3, 26, 8), utc(2027, 3, 27, 8), utc(2027, 10, 31, 8)]

    @pytest.mark.parametrize(
        "triggers",
        [
            [
                {"type": "interval", "seconds": 2, "start_at": "2026-01-01T00:00:00Z"},
                {"type": "interval", "seconds": 2, "start_at": "2026-01-01T00:00:01Z"},
            ],
            [cron("0 0 29 2 *"), cron("0 0 28 2 *")],
        ],
    )
    def test_that_never_agrees_is_refused(self, triggers):
        with pytest.raises(NeverFires, match="its triggers never fire at the same instant"):
            normalize({"type": "and", "triggers": triggers}, now=NOW)

    def test_that_is_merely_over_is_not(self):
        form = {"type": "and", "triggers": [cron("@daily"), {"type": "date", "run_at": "2026-11-20T00:00:00Z"}]}

        assert first_fire_time(normalize(form, now=NOW), now=NOW) is None


class TestTimeZones:
    @pytest.mark.parametrize(
        "zone", ["+02:00", "-03:30", "Europe/Berlin", "UTC", "Etc/GMT+5", "America/Argentina/Ushuaia"]
    )
    def test_are_places_or_offsets(self, zone):
        assert normalize(cron("@daily", timezone=zone), now=NOW)["timezone"] == zone

    @pytest.mark.parametrize(
        "zone", ["localtime", "posix/Europe/Berlin", "Europe", "Factory", 5, "", "a" * 500, "Europe/\x00"]
    )
    def test_are_nothing_else(self, zone):
        with pytest.raises(InvalidTrigger, match="is not a time zone"):
            parse(cron("@daily", timezone=zone))

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            *(
                ("europe/berlin", "Europe/Berlin"),
                ("Europe/Berlin ", "Europe/Berlin"),
                ("Europe/Berln", "Europe/Berlin"),
            ),
            *(("utc", "UTC"), ("Z", "UTC"), ("GMT+5", "+05:00"), ("UTC-3:30", "-03:30"), ("+2", "+02:00")),
        ],
    )
    def test_that_are_nearly_right_are_suggested(self, written, meant):
        with pytest.raises(InvalidTrigger, match=f"Did you mean “{re.escape(meant)}”") as caught:
            parse(cron("@daily", timezone=written))

        assert parse(cron("@daily", timezone=meant))
        assert caught.value.code == "unknown_timezone"

    @pytest.mark.parametrize(
        ("expression", "zone", "rest"),
        [
            ("CRON_TZ=Europe/Berlin 0 0 * * *", "Europe/Berlin", "0 0 * * *"),
            ("TZ=UTC 0 0 * * *", "UTC", "0 0 * * *"),
            ("0 6 * * 1-5 Europe/Stockholm", "Europe/Stockholm", "0 6 * * 1-5"),
            ("0 0 6 * * 1-5 UTC", "UTC", "0 0 6 * * 1-5"),
        ],
    )
    def test_are_not_part_of_an_expression(self, expression, zone, rest):
        with pytest.raises(
            InvalidTrigger, match=re.escape(f"set timezone to “{zone}”, and the expression to “{rest}”")
        ):
            parse(cron(expression))

    def test_of_no_offset_are_utc(self):
        assert normalize(cron("@daily", timezone="+00:00"), now=NOW)["timezone"] == "UTC"
