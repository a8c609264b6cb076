"""Triggers in plain English."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from scheduler.core.triggers import InvalidTrigger, describe, normalize
from tests.unit.triggers import strategies
from tests.unit.triggers.oracle import utc

NOW = utc(2026, 11, 23, 4)


class TestCron:
    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("0 * * * *", "every hour"),
            ("5,20 * * * *", "at 5 and 20 minutes past every hour"),
            ("0 */2 * * *", "every 2 hours"),
            ("0 2 * * *", "at 02:00 every day"),
            ("@daily", "at 00:00 every day"),
            ("0 9,17 * * sat-sun", "at 09:00 and 17:00 every Saturday and Sunday"),
            ("*/15 9-17 * * mon-fri", "every 15 minutes from 09:00 to 17:45 Monday to Friday"),
            ("0 8-18 * * 1-5", "every hour from 08:00 to 18:00 Monday to Friday"),
            ("*/10 22-5 * * *", "every 10 minutes from 22:00 to 05:50"),
            ("0 0 13 * 5", "on the 13th or on a Friday (cron runs when either matches) at 00:00"),
            ("0 0 */15 * 1", "at 00:00 on Monday if it is the 1st, 16th and 31st of the month"),
            ("0 0 1,15 * *", "at 00:00 on the 1st and 15th of every month"),
            ("0 0 L * *", "at 00:00 on the last day of every month"),
            ("0 0 LW 3 *", "at 00:00 on the last weekday of March"),
            ("0 0 * * 1#2", "at 00:00 on the second Monday of the month"),
            ("0 0 * * 5L", "at 00:00 on the last Friday of the month"),
            ("0 0 * nov-feb *", "at 00:00 every day in November to February"),
            ("0 0 1 1 *", "at 00:00 on the 1st of January"),
            ("*/10 * * * * *", "every 10 seconds"),
            ("30 0 2 * * *", "at 02:00:30 every day"),
            ("23 0-20/2 * * *", "every 2 hours from 00:23 to 20:23"),
            ("23 22-23,0-14/2 * * mon", "at minute 23 of hours 0, 2, 4, 6, 8, 10, 12, 14, 22 and 23 every Monday"),
            ("0 8 * * 1", "at 08:00 every Monday"),
            ("*/7 3 * * *", "at minutes 0, 7, … 56 of hour 3 every day"),
        ],
    )
    def test_is_said_in_words(self, expression, words):
        form = {"type": "cron", "expression": expression, "timezone": "Europe/Berlin"}

        assert describe(form) == f"{words}, Europe/Berlin"

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"day": "2nd sun", "hour": 3}, "at 03:00 on the second Sunday of the month"),
            ({"day": "last"}, "at 00:00 on the last day of every month"),
            ({"day": 13, "day_of_week": "fri"}, "at 00:00 on Friday if it is the 13th of the month"),
            ({"day_of_week": "mon-fri", "hour": 8, "minute": 30}, "at 08:30 Monday to Friday"),
            ({"year": 2027}, "at 00:00 on the 1st of January in 2027"),
            ({"month": "6-8"}, "at 00:00 on the 1st of June to August"),
            ({"week": 5}, "at 00:00 every day in ISO week 5"),
            ({"second": "*"}, "every second"),
        ],
    )
    def test_by_fields_too(self, fields, words):
        assert describe({"type": "cron", "fields": fields}) == f"{words}, UTC"

    def test_that_cannot_happen_has_no_words(self):
        with pytest.raises(InvalidTrigger, match="allowed are 0 to 59"):
            describe({"type": "cron", "expression": "61 * * * *"})


class TestOthers:
    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"type": "interval", "minutes": 30}, "every 30 minutes"),
            ({"type": "interval", "seconds": 3600}, "every hour"),
            ({"type": "date", "run_at": "2027-03-01T09:00:00+01:00"}, "once, on 1 Mar 2027, 09:00, +01:00"),
            ({"type": "calendar", "months": 1, "at": "02:30"}, "every month on the 23rd at 02:30, UTC"),
            ({"type": "calendar", "years": 1}, "every year on the 23rd of November at 00:00, UTC"),
            ({"type": "calendar", "weeks": 2}, "every 2 weeks on Monday at 00:00, UTC"),
            ({"type": "calendar", "weeks": 1, "days": 1}, "every 1 week and 1 day at 00:00, UTC"),
            (
                {
                    "type": "or",
                    "triggers": [{"type": "interval", "hours": 2}, {"type": "cron", "expression": "@daily"}],
                },
                "every 2 hours; or at 00:00 every day, UTC",
            ),
            (
                {"type": "cron", "expression": "@daily", "end_at": "2027-01-01", "jitter_seconds": 30},
                "at 00:00 every day, UTC, until 1 Jan 2027, 00:00, up to 30 seconds later at random",
            ),
        ],
    )
    def test_are_said_in_words(self, form, words):
        assert describe(normalize(form, now=NOW)) == words

    @settings(max_examples=100, deadline=None)
    @given(form=strategies.triggers)
    def test_always_have_words(self, form):
        try:
            words = describe(form)
        except InvalidTrigger:
            return

        assert words
        assert "  " not in words
        assert not words.endswith(", ")
