"""iCalendar files: what is read, what is refused, and that a hostile one costs little."""

from __future__ import annotations

import time
from datetime import date

import pytest

from scheduler.core.triggers.calendars import files
from scheduler.errors import InvalidCalendar

TODAY = date(2026, 11, 26)


def event(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT"])


def read(*events: str) -> list[str]:
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *events, "END:VCALENDAR", ""])
    return files.rules_of(text.encode(), today=TODAY)


class TestEvents:
    @pytest.mark.parametrize(
        ("lines", "rules"),
        [
            (["DTSTART;VALUE=DATE:20271003", "SUMMARY:Unity"], ["2027-10-03 Unity"]),
            (["DTSTART;VALUE=DATE:20271224", "DTEND;VALUE=DATE:20271227"], ["2027-12-24..2027-12-26"]),
            (["DTSTART;VALUE=DATE:20201003", "RRULE:FREQ=YEARLY", "SUMMARY:Unity"], ["10-03 Unity"]),
            (
                ["DTSTART;TZID=Europe/Berlin:20270301T220000", "DURATION:PT4H", "SUMMARY:Night"],
                ["2027-03-01 22:00..2027-03-02 02:00 Night"],
            ),
            (["DTSTART:20270301T220000Z", "DTEND:20270301T230000Z"], ["2027-03-01 22:00..2027-03-01 23:00"]),
            (
                ["DTSTART;VALUE=DATE:20270301", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3"],
                ["2027-03-01", "2027-03-26", "2027-04-30", "2027-05-28"],
            ),
            (
                [
                    "DTSTART;VALUE=DATE:20270304",
                    "RRULE:FREQ=WEEKLY;BYDAY=TH;UNTIL=20270318",
                    "EXDATE;VALUE=DATE:20270311",
                ],
                ["2027-03-04", "2027-03-18"],
            ),
            (
                ["DTSTART;VALUE=DATE:20270301", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3", "RDATE;VALUE=DATE:20270401"],
                ["2027-03-01", "2027-03-03", "2027-03-05", "2027-04-01"],
            ),
            (
                ["DTSTART;VALUE=DATE:20260525", "RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=2"],
                ["2026-05-25", "2027-05-31"],
            ),
            (["DTSTART;VALUE=DATE:20280229", "RRULE:FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2"], ["2028-02-29", "2028-03-31"]),
        ],
    )
    def test_become_rules(self, lines: list[str], rules: list[str]) -> None:
        assert read(event(*lines)) == rules

    def test_that_are_cancelled_or_past_are_left_out(self) -> None:
        past = event("DTSTART;VALUE=DATE:20100101")
        cancelled = event("DTSTART;VALUE=DATE:20270101", "STATUS:CANCELLED")

        assert read(past, cancelled, event("DTSTART;VALUE=DATE:20270102")) == ["2027-01-02"]
        with pytest.raises(InvalidCalendar, match="no event from 2025 to 2036"):
            read(past, cancelled)

    def test_have_titles_in_one_line(self) -> None:
        (rule,) = read(event("DTSTART;VALUE=DATE:20270101", r"SUMMARY:A\nlong" + " text" * 200))

        assert rule.startswith("2027-01-01 A long text")
        assert len(rule) <= 300


class TestAFileIsRefused:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "not an iCalendar file"),
            (b"\xff\xfe", "not an iCalendar file"),
            (b"<html></html>", "not an iCalendar file"),
            (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "not an iCalendar file|no event"),
            (b"x" * 1_000_001, "larger than 1000000 bytes"),
        ],
    )
    def test_if_it_is_none(self, content: bytes, said: str) -> None:
        with pytest.raises(InvalidCalendar, match=said):
            files.rules_of(content, today=TODAY)

    def test_with_the_event_and_the_property(self) -> None:
        with pytest.raises(InvalidCalendar, match=r"“1” cannot be used: DTSTART: .*nonsense"):
            read(event("DTSTART:nonsense"))

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ("FREQ=SECONDLY", "more often than daily"),
            ("FREQ=HOURLY;COUNT=2", "more often than daily"),
            ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0"),
            ("FREQ=DAILY;BYHOUR=1,2", "BYHOUR"),
            ("FREQ=YEARLY;BYWEEKNO=20", "BYWEEKNO"),
            ("FREQ=MONTHLY;BYDAY=XX", "cannot be used|not an iCalendar|no event"),
        ],
    )
    def test_if_a_recurrence_cannot_be_used(self, rule: str, said: str) -> None:
        with pytest.raises(InvalidCalendar, match=said):
            read(event("DTSTART;VALUE=DATE:20270101", f"RRULE:{rule}", "SUMMARY:Odd"))


class TestAHostileFile:
    @pytest.mark.parametrize(
        "lines",
        [
            ["DTSTART;VALUE=DATE:00010101", "RRULE:FREQ=DAILY;BYMONTHDAY=30;BYMONTH=2"],
            ["DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=DAILY"],
            ["DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=DAILY;COUNT=999999999"],
            ["DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=YEARLY;BYMONTHDAY=31;BYMONTH=2"],
            ["DTSTART;VALUE=DATE:20270101", "DTEND;VALUE=DATE:99991231", "RRULE:FREQ=DAILY"],
        ],
    )
    def test_costs_little(self, lines: list[str]) -> None:
        began = time.process_time()

        try:
            rules = read(*[event(*lines)] * 100)
        except InvalidCalendar as error:
            assert "more than" in str(error) or "no event" in str(error) or "cannot be used" in str(error)  # noqa: PT017
        else:
            assert len(rules) <= 20_000

        assert time.process_time() - began < 100
