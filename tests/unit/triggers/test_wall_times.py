"""Times are stored as they are meant: on the clocks of the trigger's zone, and their instants follow from that."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scheduler.core.triggers import InvalidTrigger, current_form, describe, is_same, next_fire_times, normalize, parse
from scheduler.core.triggers import zones as zone_rules
from scheduler.core.triggers.trigger import rfc3339
from scheduler.core.triggers.zones import zone_named
from tests.unit.triggers import strategies
from tests.unit.triggers.oracle import utc

NOW = utc(2026, 11, 26, 9)

walls = st.datetimes(datetime(2026, 12, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001 - on the clocks of a zone
    lambda wall: wall.replace(microsecond=0).isoformat()
)
local = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("calendar"), "at": st.sampled_from(("00:00", "02:30", "09:30", "23:00")), "start_at": walls},
        optional={"end_at": walls},
    ).flatmap(
        lambda form: st.fixed_dictionaries({unit: st.integers(1, 5) for unit in ("weeks", "months")}).map(
            lambda units: form | dict([max(units.items(), key=lambda item: item[1])])
        )
    ),
    st.fixed_dictionaries(
        {"type": st.just("cron"), "expression": st.sampled_from(("30 9 * * mon", "0 0 1 * *", "15 2 */3 * *"))},
        optional={"start_at": walls, "end_at": walls},
    ),
    st.fixed_dictionaries({"type": st.just("date"), "run_at": walls}),
)


def old_form(trigger) -> dict[str, object]:
    """What releases stored that wrote every time as an instant, with the offset of that day."""
    zone = zone_named(trigger.timezone)
    form = trigger.as_json()
    for key, moment in (("start_at", trigger.start_at), ("end_at", trigger.end_at)):
        if moment is not None:
            form[key] = rfc3339(moment, zone)
    if form["type"] == "date":
        form["run_at"] = rfc3339(trigger.run_at, zone)
    if "triggers" in form:
        form["triggers"] = [old_form(part) for part in trigger.triggers]
    return form


class TestAnotherZoneAlone:
    @settings(max_examples=200, deadline=None)
    @given(form=local, zone=strategies.zones, other=strategies.zones)
    @example(
        form={"type": "calendar", "weeks": 2, "at": "09:30", "start_at": "2026-11-30T00:00:00"},
        zone="Europe/Berlin",
        other="America/New_York",
    )
    @example(
        form={"type": "calendar", "months": 1, "at": "09:30", "start_at": "2026-12-01T00:00:00"},
        zone="Europe/Berlin",
        other="America/New_York",
    )
    def test_keeps_every_date_and_what_was_written(self, form, zone, other):
        try:
            stored = normalize({**form, "timezone": zone}, now=NOW)
            moved = normalize({**stored, "timezone": other}, now=NOW)
        except InvalidTrigger:
            assume(False)  # it ends before it begins

        assert moved == {**stored, "timezone": other}
        assert describe(moved) == describe(stored).replace(zone, other)
        assert _dates(moved) == _dates(stored)

    def test_keeps_the_day_a_calendar_got_when_it_was_created(self):
        stored = normalize({"type": "calendar", "weeks": 2, "at": "09:30", "timezone": "Europe/Berlin"}, now=NOW)

        assert stored["start_at"] == "2026-11-26T00:00:00"
        assert "Thursday" in describe({**stored, "timezone": "America/New_York"})

    def test_does_not_move_the_phase_that_an_interval_was_given_by_a_clock(self):
        stored = normalize({"type": "interval", "hours": 7, "timezone": "Europe/Berlin"}, now=NOW)
        moved = normalize({**stored, "timezone": "America/New_York"}, now=NOW)

        assert next_fire_times(moved, after=NOW, count=5) == next_fire_times(stored, after=NOW, count=5)

    def test_keeps_the_time_of_day_at_which_a_person_lets_an_interval_begin(self):
        form = {"type": "interval", "hours": 24, "start_at": "2026-12-01T09:00", "timezone": "Europe/Berlin"}
        stored = normalize(form, now=NOW)
        moved = normalize({**stored, "timezone": "America/New_York"}, now=NOW)

        assert next_fire_times(stored, after=NOW, count=1) == [utc(2026, 12, 1, 8)]
        assert next_fire_times(moved, after=NOW, count=1) == [utc(2026, 12, 1, 14)]

    def test_keeps_a_day_that_its_zone_leaves_out(self):
        form = {"type": "calendar", "days": 7, "at": "09:00", "start_at": "2011-12-30", "timezone": "Pacific/Apia"}
        stored = normalize(form, now=NOW)

        assert stored["start_at"] == "2011-12-30T00:00:00"
        assert next_fire_times(stored, after=utc(2012, 1, 1), count=1) == [
            datetime(2012, 1, 6, 9, tzinfo=ZoneInfo("Pacific/Apia"))
        ]


class TestWhatOlderReleasesStored:
    @settings(max_examples=200, deadline=None)
    @given(form=strategies.triggers, now=strategies.moments)
    def test_keeps_its_meaning_and_is_written_as_today(self, form, now):
        try:
            stored = parse(normalize(form, now=now))
        except InvalidTrigger:
            assume(False)
        old = old_form(stored)

        assert parse(old) == stored
        assert is_same(old, stored.as_json())
        assert current_form(old) == stored.as_json()

    def test_is_shown_as_it_is_if_it_cannot_be_read(self):
        for odd in (None, 5, [], {}, {"type": "moon"}, {"type": "cron", "expression": None}):
            assert current_form(odd) == odd


class TestATimeThatClocksShowTwice:
    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("2026-10-25T02:30:00", "2026-10-25T02:30:00"),
            ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00"),
            ("2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+01:00"),
        ],
    )
    def test_keeps_its_offset_only_if_the_second_one_is_meant(self, given, stored):
        form = normalize({"type": "date", "run_at": given, "timezone": "Europe/Berlin"}, now=NOW)

        assert form["run_at"] == stored
        assert parse(form).run_at == parse({"type": "date", "run_at": given, "timezone": "Europe/Berlin"}).run_at


class TestWhatPeoplePass:
    def test_may_be_dates_datetimes_and_zones(self):
        form = {
            "type": "calendar",
            "months": 1,
            "start_at": date(2026, 12, 1),
            "end_at": datetime(2027, 12, 1, 12),  # noqa: DTZ001 - meant on the clocks of the zone
            "timezone": ZoneInfo("Europe/Berlin"),
        }

        assert normalize(form, now=NOW) == {
            "type": "calendar",
            "months": 1,
            "at": "00:00",
            "timezone": "Europe/Berlin",
            "start_at": "2026-12-01T00:00:00",
            "end_at": "2027-12-01T12:00:00",
        }


class TestATriggerWithoutAZone:
    @pytest.fixture(autouse=True)
    def project(self, monkeypatch):
        monkeypatch.setattr(zone_rules._default, "named", lambda: "America/New_York")

    @pytest.mark.parametrize(
        "form",
        [
            {"type": "cron", "expression": "0 9 * * *"},
            {"type": "cron", "fields": {"hour": 9}},
            {"type": "calendar", "days": 1, "at": "09:00"},
            {"type": "date", "run_at": "2026-11-26T09:00"},
            {"type": "interval", "days": 1, "start_at": "2026-11-26T09:00"},
            {"type": "or", "triggers": [{"type": "cron", "expression": "0 9 * * *"}]},
        ],
    )
    def test_has_the_default_one(self, form):
        assert normalize(form, now=NOW)["timezone"] == "America/New_York"
        assert next_fire_times(form, after=NOW, count=1) == [utc(2026, 11, 26, 14)]

    def test_keeps_the_offset_of_a_date_that_has_one(self):
        form = normalize({"type": "date", "run_at": "2026-11-27T09:00:00+05:30"}, now=NOW)

        assert (form["timezone"], form["run_at"]) == ("+05:30", "2026-11-27T09:00:00")

    def test_is_not_one_that_was_stored(self):
        assert normalize({"type": "cron", "expression": "0 9 * * *", "timezone": "UTC"}, now=NOW)["timezone"] == "UTC"


def _dates(form) -> list[date]:
    trigger = parse(form)
    first = trigger.at_or_after(utc(2026, 10, 20, 12))
    found = [] if first is None else trigger.upcoming(first=first, until=utc(2090, 1, 1), limit=10)
    return [moment.astimezone(zone_named(trigger.timezone)).date() for moment in found]
