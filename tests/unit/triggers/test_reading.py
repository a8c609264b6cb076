"""What is refused, with which words, and where."""

from __future__ import annotations

import json

import pytest

from scheduler.core.triggers import InvalidTrigger, NeverFires, check_future, parse, parse_cached
from tests.unit.triggers.oracle import utc


def refusal(trigger) -> InvalidTrigger:
    with pytest.raises(InvalidTrigger) as caught:
        parse(trigger)
    return caught.value


def cron(expression, **more):
    return {"type": "cron", "expression": expression, **more}


class TestExpressions:
    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            (
                "0 2 * *",
                "“0 2 * *” has 4 parts, a cron expression has 5: minute, hour, day of month, month, day of week.",
            ),
            ("0 25 * * *", "Hour “25”: allowed are 0 to 23."),
            ("60 * * * *", "Minute “60”: allowed are 0 to 59."),
            ("0 0 0 * *", "Day of month “0”: allowed are 1 to 31, L, LW, L-1 to L-30 and 1W to 31W."),
            ("0 0 * 13 *", "Month “13”: allowed are 1 to 12, or jan to dec."),
            (
                "0 0 * * monday",
                "Day of week “monday”: allowed are 0 to 7, sun to sat, friL for the last and 1#2 for the second one.",
            ),
            ("*/0 * * * *", "Minute “*/0”: after the slash comes a step, a number of 1 or more."),
            (
                "@reboot",
                "“@reboot” is not supported: a schedule does not start with the machine. Use @hourly, @daily, "
                "@weekly, @monthly, @yearly.",
            ),
            ("0 0 31 2 *", "This never runs: 31 February does not exist."),
            ("0 0 31 4,6 *", "This never runs: 31 April or June do not exist."),
            ("0 0 */31 2 fri#5", "This never runs: no date matches its day, month and day of week."),
            (" " * 20_000, "A cron expression has at most 100 characters. This one has 20000."),
            ("", "The cron expression is empty. It has 5 parts: minute, hour, day of month, month, day of week."),
        ],
    )
    def test_say_what_is_wrong(self, expression, message):
        error = refusal(cron(expression))

        assert str(error) == message
        assert error.pointer == "/expression"

    @pytest.mark.parametrize(
        "expression",
        [
            "1,,2 * * * *",
            "1- * * * *",
            "5--3 * * * *",
            "0 0 15WL * *",
            "0 0 * * 1#6",
            "0 0 * * 1-5L",
            "٣ * * * *",
            "a b c d e",
        ],
    )
    def test_are_not_guessed(self, expression):
        assert refusal(cron(expression)).code == "invalid_field"

    def test_have_bounded_lists(self):
        assert "at most 60 items" in str(refusal(cron("," * 90 + " * * * *")))

    def test_are_text(self):
        assert refusal(cron(5)).code == "wrong_type"

    def test_that_never_fire_say_so_by_their_class(self):
        assert isinstance(refusal(cron("0 0 30 2 *")), NeverFires)


class TestFields:
    @pytest.mark.parametrize(
        ("fields", "pointer", "message"),
        [
            ({"hour": 25}, "/fields/hour", "Hour “25”: allowed are 0 to 23."),
            ({"hours": 2}, "/fields/hours", "A cron has no field “hours”."),
            ({"day_of_week": "mon-fri/2"}, "/fields/day_of_week", "Day of week “mon-fri/2”"),
            ({"day_of_week": 7}, "/fields/day_of_week", "0 (Monday) to 6 (Sunday)"),
            ({"minute": [1]}, "/fields/minute", "Minute “[1]”"),
            ({"month": 2, "day": 30}, "/fields", "This never runs"),
            ({"week": 53, "month": 6}, "/fields", "This never runs"),
            ({}, "/fields", "one or more of: year, month"),
        ],
    )
    def test_say_what_is_wrong(self, fields, pointer, message):
        error = refusal({"type": "cron", "fields": fields})

        assert message in str(error)
        assert error.pointer == pointer


class TestKeys:
    @pytest.mark.parametrize(
        ("trigger", "pointer", "message"),
        [
            (
                {"type": "interval", "minute": 5},
                "/minute",
                "An interval trigger has no “minute”. Did you mean “minutes”?",
            ),
            (
                {"type": "weekly"},
                "/type",
                "“weekly” is not a trigger type. Types are: cron, interval, date, calendar, or, and.",
            ),
            ({}, "/type", "A trigger has a type: cron, interval, date, calendar, or, and."),
            ({"type": "cron"}, "/expression", "A cron trigger has an expression or fields, and this has neither."),
            (
                {"type": "cron", "expression": "@daily", "fields": {"hour": 2}},
                "/expression",
                "A cron trigger has an expression or fields, not both.",
            ),
            (
                cron("@daily", timezone="CEST"),
                "/timezone",
                "“CEST” is not a time zone. Choose a region such as Europe/Berlin.",
            ),
            (cron("@daily", timezone="../etc/passwd"), "/timezone", "is not a time zone"),
            (cron("@daily", timezone="+25:00"), "/timezone", "is not a time zone"),
            (cron("@daily", jitter_seconds=-1), "/jitter_seconds", "from 0 to 86400"),
            (cron("@daily", jitter_seconds=True), "/jitter_seconds", "from 0 to 86400"),
            (cron("@daily", start_at="tomorrow"), "/start_at", "start_at: “tomorrow” is not a time."),
            (cron("@daily", start_at="2027-02-30T00:00:00Z"), "/start_at", "is not a time"),
            (cron("@daily", start_at="2027-02-02", end_at="2027-02-01"), "/end_at", "It ends before it starts."),
            (
                cron("0 2 * * *", start_at="2026-11-23T03:00", end_at="2026-11-24T01:00"),
                "/end_at",
                "It ends before its first run (24 Nov 02:00).",
            ),
            (
                {"type": "date", "run_at": "2026-11-24T02:00", "end_at": "2026-11-24T01:00"},
                "/end_at",
                "It ends before its first run (24 Nov 02:00).",
            ),
            ({"type": "interval", "minutes": 0}, "/minutes", "minutes: 0 is too short."),
            ({"type": "interval"}, "", "needs one or more of weeks, days, hours, minutes, seconds."),
            ({"type": "interval", "seconds": 0.5}, "/seconds", "from one second"),
            ({"type": "interval", "minutes": -5}, "/minutes", "must be a whole number"),
            ({"type": "interval", "minutes": "5"}, "/minutes", "must be a whole number"),
            ({"type": "interval", "seconds": float("nan")}, "/seconds", "must be a whole number"),
            ({"type": "interval", "weeks": 10**9}, "/weeks", "a hundred years"),
            ({"type": "interval", "weeks": 10**30}, "/weeks", "must be a whole number"),
            ({"type": "calendar", "at": "02:30"}, "", "A calendar trigger needs one or more of years"),
            ({"type": "calendar", "days": 1, "at": "25:00"}, "/at", "is not a time of day"),
            ({"type": "date"}, "/run_at", "A date trigger has a run_at"),
            ({"type": "or", "triggers": []}, "/triggers", "a list of 1 to 20 triggers"),
            ({"type": "or", "triggers": [cron("@daily"), cron("@never")]}, "/triggers/1/expression", "“@never”"),
            ({"type": "and", "triggers": [cron("@daily", timezone="X")]}, "/triggers/0/timezone", "“X”"),
        ],
    )
    def test_are_refused_by_name(self, trigger, pointer, message):
        error = refusal(trigger)

        assert message in str(error)
        assert error.pointer == pointer

    @pytest.mark.parametrize("trigger", [None, "@daily", [], 5])
    def test_need_an_object(self, trigger):
        assert refusal(trigger).code == "wrong_type"

    def test_that_are_null_are_as_good_as_absent(self):
        assert parse(cron("@daily", start_at=None)) == parse(cron("@daily"))

    def test_may_not_nest_for_ever(self):
        trigger = cron("@daily")
        for _ in range(50):
            trigger = {"type": "or", "triggers": [trigger]}

        assert refusal(trigger).code == "too_deep"

    def test_may_not_multiply(self):
        many = {"type": "or", "triggers": [cron("@daily")] * 15}

        assert refusal({"type": "or", "triggers": [many, many]}).code == "too_long"


class TestParseCached:
    def test_answers_the_same_object_for_the_same_text(self):
        text = json.dumps(cron("0 2 * * *"))

        assert parse_cached(text) is parse_cached(text)

    def test_refuses_what_is_not_json(self):
        with pytest.raises(InvalidTrigger, match="not JSON"):
            parse_cached("{")


class TestCheckFuture:
    @pytest.mark.parametrize(
        ("trigger", "message"),
        [
            (
                {"type": "date", "run_at": "2026-11-22T14:00:00", "timezone": "Europe/Berlin"},
                "22 Nov 2026, 14:00 in Europe/Berlin is over (now 23 Nov, 02:47).",
            ),
            (
                {"type": "date", "run_at": "2025-11-22T14:00:00", "timezone": "Europe/Berlin"},
                "22 Nov 2025, 14:00 in Europe/Berlin is over (now 23 Nov 2026, 02:47).",
            ),
            (cron("@daily", end_at="2026-11-20T00:00"), "20 Nov 2026, 00:00 in UTC is over (now 23 Nov, 01:47)."),
            (cron("@daily", end_at="2026-11-23T20:00"), "It ends before its first run (24 Nov 00:00)."),
        ],
    )
    def test_says_what_is_over(self, trigger, message):
        with pytest.raises(NeverFires) as caught:
            check_future(trigger, now=utc(2026, 11, 23, 1, 47))

        assert str(caught.value) == message

    def test_returns_the_first_fire_time(self):
        assert check_future(cron("@daily"), now=utc(2026, 11, 23, 1, 47)) == utc(2026, 11, 24)
