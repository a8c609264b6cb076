"""Triggers that are cheap to write and endless to compute: each question about one has one budget."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scheduler.core.planning import Active, Policies, plan
from scheduler.core.triggers import InvalidTrigger, TooCostly, budget, next_fire_times, normalize, parse
from scheduler.core.triggers.budget import Budget
from tests.unit.triggers import strategies
from tests.unit.triggers.oracle import utc

NOW = utc(2026, 11, 26, 9)


def cron(expression, zone="UTC"):
    return {"type": "cron", "expression": expression, "timezone": zone}


def every(seconds):
    return {"type": "interval", "seconds": seconds}


MONTHS = {"type": "calendar", "months": 7, "days": 3, "start_at": "2026-11-26"}
ENDLESS = {
    "type": "and",
    "triggers": [
        {
            "type": "or",
            "triggers": [
                MONTHS,
                {
                    "type": "and",
                    "triggers": [
                        {"type": "calendar", "months": 1, "start_at": "2026-11-26"},
                        cron("13 * * */5 1", "Africa/Casablanca"),
                        {"type": "cron", "fields": {"year": "2100-9000/400", "hour": "*/5", "minute": "0"}},
                        {"type": "cron", "fields": {"week": "53"}},
                    ],
                },
                {"type": "or", "triggers": [cron("*/7 * 31 * 5", "Australia/Lord_Howe"), every(59)]},
            ],
        },
        cron("*/7 * 31 */5 5#5", "Europe/Berlin"),
        {
            "type": "or",
            "triggers": [
                {
                    "type": "and",
                    "triggers": [
                        {"type": "cron", "fields": {"month": "*/5", "week": "53", "minute": "*/7", "second": "*"}},
                        cron("* * * */5 0L"),
                    ],
                },
                MONTHS,
                every(3599),
                every(997),
            ],
        },
    ],
}
"""Two minutes of computing for a hundred fire times, before there was a budget."""

nasty = st.sampled_from(
    (
        MONTHS,
        cron("13 * * */5 1", "Africa/Casablanca"),
        cron("*/7 * 31 */5 5#5", "Europe/Berlin"),
        cron("* * * */5 0L"),
        cron("0 0 29 2 *"),
        cron("* * * * * *", "Australia/Lord_Howe"),
        {"type": "cron", "fields": {"year": "2100-9000/400", "hour": "*/5", "minute": "0"}},
        {"type": "cron", "fields": {"week": "53", "second": "*"}},
        {"type": "cron", "fields": {"day": "last", "day_of_week": "sun", "month": "feb"}},
        every(997),
        every(3599),
        every(1),
    )
)
leaves = st.one_of(nasty, strategies.simple)


def combined(inner):
    return st.fixed_dictionaries(
        {"type": st.sampled_from(("or", "and")), "triggers": st.lists(inner, min_size=1, max_size=4)}
    )


combinations = combined(st.one_of(leaves, combined(st.one_of(leaves, combined(leaves)))))


class TestTheExampleOfTwoMinutes:
    def test_is_refused_at_once(self):
        began = time.process_time()

        with pytest.raises(TooCostly, match="takes too long to compute") as caught:
            normalize(ENDLESS, now=NOW)

        assert (caught.value.code, caught.value.pointer) == ("too_costly", "/triggers")
        assert time.process_time() - began < 50

    def test_has_no_preview(self):
        with pytest.raises(TooCostly):
            next_fire_times(ENDLESS, after=NOW, count=100)

    def test_ends_a_question_that_nobody_limited(self):
        with pytest.raises(TooCostly):
            parse(ENDLESS).settled(now=NOW).at_or_after(NOW)


class TestACombination:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        form=combinations,
        now=strategies.moments,
        later=st.integers(0, 400),
        days=st.integers(0, 60),
        coalesce=st.booleans(),
    )
    def test_that_could_be_saved_can_be_planned_ever_after(self, form, now, later, days, coalesce):
        with Budget(10**9) as saving:
            try:
                trigger = parse(normalize(form, now=now))
            except InvalidTrigger:
                trigger = None
        assert saving.used <= budget.SAVE_STEPS + 4 * (budget.OUTAGE_STEPS + 1)
        assume(trigger is not None)
        due_at = trigger.next_after(now + timedelta(days=later))
        assume(due_at is not None)

        found = plan(
            trigger=trigger,
            due_at=due_at,
            now=due_at + timedelta(days=days),
            policies=Policies(coalesce=coalesce, max_instances=1, misfire_grace_time=timedelta(hours=1)),
            active=Active(),
            catch_up_limit=100,
        )

        assert found.rows


class TestABudget:
    def test_inside_another_has_at_most_what_that_has_left(self):
        with Budget(10) as outer:
            with Budget(100) as inner:
                assert inner.left == 10
                budget.spend(4)
            assert outer.left == 6

    def test_that_is_spent_inside_is_spent_outside(self):
        with Budget(10):
            with pytest.raises(TooCostly), budget.share(2):
                budget.spend(6)
            budget.spend(4)
            with pytest.raises(TooCostly):
                budget.spend()

    def test_is_over_with_its_question(self):
        with Budget(1):
            assert budget.is_limited()
        assert not budget.is_limited()
