"""From one known fire time: the next, the last, how many, and that no outage is too long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler.core.triggers import InvalidTrigger, first_fire_time, normalize, parse, wall_time, zones
from tests.unit.triggers import strategies
from tests.unit.triggers.oracle import utc

MOMENT = timedelta(microseconds=1)
NOW = utc(2026, 11, 23, 4)


def compiled(form, now=NOW):
    try:
        return parse(normalize(form, now=now))
    except InvalidTrigger:
        assume(False)  # a rule that never fires is refused elsewhere


def enumerated(trigger, first, until):
    found = [first]
    moment = trigger.next_after(first)
    while moment is not None and moment <= until:
        found.append(moment)
        moment = trigger.next_after(moment)
    return found


class TestEveryTrigger:
    @settings(max_examples=150, deadline=None)
    @given(form=strategies.triggers, now=strategies.moments)
    def test_goes_on_strictly_increasing(self, form, now):
        trigger = compiled(form, now)
        moment = now
        for _ in range(8):
            following = trigger.next_after(moment)
            if following is None:
                break

            assert following > moment
            assert trigger.at_or_after(following) == following
            assert trigger.at_or_before(following) == following
            assert trigger.at_or_before(following - MOMENT) != following
            moment = following

    @settings(max_examples=150, deadline=None)
    @given(
        form=strategies.triggers,
        now=strategies.moments,
        hours=st.integers(0, 30),
        ends_after=st.one_of(st.none(), st.integers(0, 40)),
    )
    def test_answers_as_enumerating_would(self, form, now, hours, ends_after):
        trigger = compiled(form, now)
        first = trigger.first_after(now)
        assume(first is not None)
        if ends_after is not None:
            trigger = replace(trigger, end_at=first + timedelta(hours=ends_after))
        until = first + timedelta(hours=hours)
        expected = enumerated(trigger, first, until)

        assert trigger.latest(first=first, until=until) == expected[-1]
        assert trigger.count(first=first, until=until) == len(expected)
        assert trigger.upcoming(first=first, until=until, limit=5) == tuple(expected[:5])
        assert trigger.most_recent(first=first, until=until, limit=5) == tuple(expected[-5:])

    @settings(max_examples=150, deadline=None)
    @given(form=strategies.triggers, now=strategies.moments, later=strategies.moments)
    def test_is_normalized_once_and_for_all(self, form, now, later):
        try:
            normal = normalize(form, now=now)
        except InvalidTrigger:
            assume(False)

        assert normalize(normal, now=now) == normal
        assert parse(normal).as_json() == normal
        assert list(parse(normal).as_json()) == list(normal)
        assert parse(normal) == parse(normal)
        assert hash(parse(normal)) == hash(parse(normal))

    @settings(max_examples=80, deadline=None)
    @given(one=strategies.simple, other=strategies.simple, now=strategies.moments)
    def test_combines(self, one, other, now):
        both = compiled({"type": "or", "triggers": [one, other]}, now)
        parts = both.triggers
        moment = both.next_after(now)

        assert moment == min((found for part in parts if (found := part.next_after(now))), default=None)
        for _ in range(5):
            if moment is None:
                break
            assert any(part.at_or_after(moment) == moment for part in parts)
            moment = both.next_after(moment)


class TestAFireTimeThatIsKnown:
    def test_counts_even_if_the_rule_says_otherwise(self):
        trigger = parse({"type": "cron", "expression": "0 * * * *"})
        first = utc(2026, 11, 23, 4, 7)

        assert trigger.latest(first=first, until=utc(2026, 11, 23, 4, 30)) == first
        assert trigger.count(first=first, until=utc(2026, 11, 23, 6)) == 3
        assert trigger.most_recent(first=first, until=utc(2026, 11, 23, 6), limit=9) == (
            first,
            utc(2026, 11, 23, 5),
            utc(2026, 11, 23, 6),
        )

    def test_is_where_an_interval_without_a_start_goes_on(self):
        trigger = parse({"type": "interval", "minutes": 30})
        first = utc(2026, 11, 23, 4, 7)

        assert trigger.latest(first=first, until=utc(2026, 11, 23, 6)) == utc(2026, 11, 23, 5, 37)
        assert trigger.count(first=first, until=utc(2026, 11, 23, 6)) == 4
        assert trigger.next_after(utc(2026, 11, 23, 5, 37)) == utc(2026, 11, 23, 6, 7)

    def test_is_not_where_an_interval_with_a_start_goes_on(self):
        trigger = parse({"type": "interval", "minutes": 30, "start_at": "2026-01-01T00:00:00Z"})
        first = utc(2026, 11, 23, 4, 7)

        assert trigger.latest(first=first, until=utc(2026, 11, 23, 6)) == utc(2026, 11, 23, 6)
        assert trigger.count(first=first, until=utc(2026, 11, 23, 6)) == 5

    def test_is_nothing_before_it_begins(self):
        trigger = parse({"type": "cron", "expression": "0 * * * *"})

        assert trigger.count(first=utc(2026, 11, 23, 4), until=utc(2026, 11, 23, 3)) == 0
        assert trigger.upcoming(first=utc(2026, 11, 23, 4), until=utc(2026, 11, 23, 3), limit=3) == ()


class TestALongOutage:
    @pytest.fixture
    def looks(self, monkeypatch):
        """Count how often a trigger looks at a zone or at the days of a month: all the loops there are."""
        calls = []
        stretch_at, of_month = wall_time.stretch_at, wall_time.MatchingDays.of_month

        def counting_stretch(*args):
            calls.append(args)
            return stretch_at(*args)

        def counting_month(*args):
            calls.append(args)
            return of_month(*args)

        monkeypatch.setattr(wall_time, "stretch_at", counting_stretch)
        monkeypatch.setattr(wall_time.MatchingDays, "of_month", counting_month)
        return calls

    @pytest.mark.parametrize(
        ("form", "days", "expected"),
        [
            ({"type": "cron", "expression": "* * * * *"}, 7, 7 * 1440 + 1),
            ({"type": "cron", "expression": "* * * * * *", "timezone": "Europe/Berlin"}, 14, 14 * 86_400 + 1),
            ({"type": "cron", "expression": "* * * * *", "timezone": "Europe/Berlin"}, 3650, 3650 * 1440 + 1),
            ({"type": "cron", "fields": {"second": "*"}}, 14, 14 * 86_400 + 1),
        ],
    )
    def test_of_a_cron_takes_few_steps(self, looks, form, days, expected):
        trigger = parse(form)
        first, until = NOW, NOW + timedelta(days=days)
        looks.clear()

        latest = trigger.latest(first=first, until=until)
        count = trigger.count(first=first, until=until)
        following = trigger.next_after(latest)

        assert (latest, count) == (until, expected)
        assert following > until
        assert len(looks) < 30 + days / 5

    def test_of_an_interval_takes_none(self):
        trigger = parse(normalize({"type": "interval", "seconds": 1}, now=NOW))
        first, until = NOW + timedelta(seconds=1), NOW + timedelta(days=14)

        assert trigger.latest(first=first, until=until) == until
        assert trigger.count(first=first, until=until) == 14 * 86_400
        assert trigger.most_recent(first=first, until=until, limit=2) == (until - timedelta(seconds=1), until)

    def test_of_a_combination_is_counted_roughly(self):
        either = {
            "type": "or",
            "triggers": [{"type": "interval", "seconds": 1}, {"type": "cron", "expression": "* * * * *"}],
        }
        trigger = parse(normalize(either, now=NOW))

        counted = trigger.count(first=NOW, until=NOW + timedelta(days=14))

        assert 14 * 86_400 <= counted <= 14 * (86_400 + 1440) + 1


class TestRareDays:
    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("0 0 29 2 *", utc(2028, 2, 29)),
            ("0 0 */28 2 fri#5", utc(2036, 2, 29)),
            ("0 0 * 2 mon#5", utc(2044, 2, 29)),
        ],
    )
    def test_are_found_in_few_looks_at_the_zone(self, monkeypatch, expression, expected):
        calls = []
        monkeypatch.setattr(wall_time, "stretch_at", lambda *args: calls.append(args) or zones.stretch_at(*args))

        assert first_fire_time({"type": "cron", "expression": expression}, now=NOW) == expected
        assert len(calls) < 5

    def test_are_given_up_after_a_lifetime(self):
        trigger = parse({"type": "cron", "fields": {"year": 2030}})

        assert trigger.next_after(utc(2029, 12, 31)) == utc(2030, 1, 1)
        assert trigger.next_after(utc(2030, 1, 1)) is None
        assert trigger.at_or_before(utc(2500, 1, 1)) == utc(2030, 1, 1)
