from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core import triggers
from scheduler.core.planning import NONE_ACTIVE, Active, FirePlan, Policies, fire_plans, plan
from scheduler.core.states import Overlap, RunState
from scheduler.core.triggers import Trigger

NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def every_minute(**more: Any) -> Trigger:
    return triggers.parse({"type": "interval", "minutes": 1, "start_at": NOON.isoformat(), **more})


def once(at: datetime) -> Trigger:
    return triggers.parse({"type": "date", "run_at": at.isoformat()})


def plan_of(
    trigger: Trigger,
    *,
    due_at: datetime = NOON,
    now: datetime = NOON,
    coalesce: bool = True,
    max_instances: int = 1,
    grace: timedelta | None = None,
    active: int = 0,
    catch_up_limit: int = 100,
) -> FirePlan:
    policies = Policies(coalesce=coalesce, max_instances=max_instances, misfire_grace_time=grace)
    return plan(
        trigger=trigger,
        due_at=due_at,
        now=now,
        policies=policies,
        active=Active(runs=active),
        catch_up_limit=catch_up_limit,
    )


class TestASingleFireTime:
    def test_runs_and_moves_the_job_to_the_next_one(self) -> None:
        found = plan_of(every_minute(), now=NOON + 10 * SECOND)

        (row,) = found.rows
        assert (row.scheduled_at, row.covers_from, row.coalesced) == (NOON, None, 0)
        assert (row.state, row.reason, row.held) == (RunState.QUEUED, None, False)
        assert found.next_fire_time == NOON + MINUTE

    def test_runs_at_the_very_end_of_its_grace_time(self) -> None:
        found = plan_of(every_minute(), now=NOON + 5 * SECOND, grace=5 * SECOND)

        assert found.rows[0].state is RunState.QUEUED

    def test_is_missed_a_moment_later_and_says_by_how_much(self) -> None:
        found = plan_of(every_minute(), now=NOON + 5.1 * SECOND, grace=5 * SECOND)

        (row,) = found.rows
        assert row.state is RunState.MISSED
        assert row.reason == "Noticed 5.1 s late; the misfire grace time is 5 s."

    def test_is_never_too_late_without_a_grace_time(self) -> None:
        found = plan_of(once(NOON), now=NOON + timedelta(days=900), grace=None)

        assert found.rows[0].state is RunState.QUEUED

    def test_is_skipped_while_max_instances_runs_are_active(self) -> None:
        found = plan_of(every_minute(), active=2, max_instances=2)

        (row,) = found.rows
        assert row.state is RunState.SKIPPED
        assert row.reason == "2 runs of this job are still active; max_instances is 2."

    def test_runs_beside_active_runs_that_leave_room(self) -> None:
        assert plan_of(every_minute(), active=1, max_instances=2).rows[0].state is RunState.QUEUED

    def test_is_missed_rather_than_skipped_when_it_is_both(self) -> None:
        found = plan_of(every_minute(), now=NOON + 30 * SECOND, grace=SECOND, active=1)

        assert found.rows[0].state is RunState.MISSED

    def test_ends_a_job_that_fires_once(self) -> None:
        assert plan_of(once(NOON)).next_fire_time is None

    def test_ends_a_job_whose_next_fire_time_lies_past_its_end(self) -> None:
        trigger = every_minute(end_at=(NOON + 59 * SECOND).isoformat())

        assert plan_of(trigger).next_fire_time is None


class TestCoalescing:
    def test_folds_all_due_fire_times_into_the_newest(self) -> None:
        found = plan_of(every_minute(), now=NOON + 3 * MINUTE + SECOND)

        (row,) = found.rows
        assert (row.covers_from, row.scheduled_at, row.coalesced) == (NOON, NOON + 3 * MINUTE, 3)
        assert row.state is RunState.QUEUED
        assert found.next_fire_time == NOON + 4 * MINUTE

    def test_judges_lateness_by_the_newest(self) -> None:
        in_time = plan_of(every_minute(), now=NOON + 90 * SECOND, grace=30 * SECOND)
        too_late = plan_of(every_minute(), now=NOON + 90 * SECOND, grace=29 * SECOND)

        assert in_time.rows[0].state is RunState.QUEUED
        assert too_late.rows[0].state is RunState.MISSED
        assert too_late.rows[0].coalesced == 1

    def test_skips_all_of_them_as_one_row_while_the_job_is_busy(self) -> None:
        found = plan_of(every_minute(), now=NOON + 2 * MINUTE, active=1)

        (row,) = found.rows
        assert (row.state, row.coalesced, row.covers_from) == (RunState.SKIPPED, 2, NOON)

    def test_ends_the_job_when_its_last_fire_time_is_among_them(self) -> None:
        trigger = every_minute(end_at=(NOON + 2 * MINUTE).isoformat())

        found = plan_of(trigger, now=NOON + 10 * MINUTE)

        assert found.rows[0].scheduled_at == NOON + 2 * MINUTE
        assert found.next_fire_time is None


class TestWithoutCoalescing:
    def test_each_fire_time_is_a_run_and_what_exceeds_max_instances_is_held(self) -> None:
        found = plan_of(every_minute(), now=NOON + 3 * MINUTE, coalesce=False, max_instances=3, active=1)

        assert [row.scheduled_at for row in found.rows] == [NOON + n * MINUTE for n in range(4)]
        assert [row.held for row in found.rows] == [False, False, True, True]
        assert {row.state for row in found.rows} == {RunState.QUEUED}

    def test_all_of_them_are_one_skipped_range_while_the_job_is_busy(self) -> None:
        found = plan_of(every_minute(), now=NOON + 3 * MINUTE, coalesce=False, active=1)

        (row,) = found.rows
        assert (row.state, row.covers_from, row.scheduled_at) == (RunState.SKIPPED, NOON, NOON + 3 * MINUTE)
        assert row.coalesced == 3

    def test_those_that_are_too_late_are_one_missed_range(self) -> None:
        found = plan_of(every_minute(), now=NOON + 3 * MINUTE, coalesce=False, grace=MINUTE, max_instances=9)

        assert [(row.state, row.covers_from, row.scheduled_at) for row in found.rows] == [
            (RunState.MISSED, NOON, NOON + MINUTE),
            (RunState.QUEUED, None, NOON + 2 * MINUTE),
            (RunState.QUEUED, None, NOON + 3 * MINUTE),
        ]

    def test_all_of_them_may_be_too_late(self) -> None:
        found = plan_of(every_minute(), now=NOON + 3 * MINUTE + 30 * SECOND, coalesce=False, grace=10 * SECOND)

        (row,) = found.rows
        assert (row.state, row.covers_from, row.scheduled_at) == (RunState.MISSED, NOON, NOON + 3 * MINUTE)
        assert found.next_fire_time == NOON + 4 * MINUTE

    def test_only_the_newest_up_to_the_limit_are_run_and_the_others_are_one_skipped_range(self) -> None:
        found = plan_of(every_minute(), now=NOON + 9 * MINUTE, coalesce=False, max_instances=2, catch_up_limit=3)

        skipped, *runs = found.rows
        assert (skipped.state, skipped.covers_from, skipped.scheduled_at, skipped.coalesced) == (
            RunState.SKIPPED,
            NOON,
            NOON + 6 * MINUTE,
            6,
        )
        assert "only the newest 3" in skipped.reason
        assert [row.scheduled_at for row in runs] == [NOON + n * MINUTE for n in (7, 8, 9)]

    def test_a_long_outage_gives_a_missed_a_dropped_and_the_newest(self) -> None:
        found = plan_of(
            every_minute(),
            now=NOON + 100 * MINUTE,
            coalesce=False,
            grace=10 * MINUTE,
            max_instances=9,
            catch_up_limit=4,
        )

        missed, dropped, *runs = found.rows
        assert (missed.state, missed.covers_from, missed.scheduled_at) == (RunState.MISSED, NOON, NOON + 89 * MINUTE)
        assert (dropped.state, dropped.covers_from, dropped.scheduled_at) == (
            RunState.SKIPPED,
            NOON + 90 * MINUTE,
            NOON + 96 * MINUTE,
        )
        assert len(runs) == 4

    def test_a_range_of_one_has_no_beginning_of_its_own(self) -> None:
        found = plan_of(every_minute(), now=NOON + MINUTE, coalesce=False, grace=30 * SECOND)

        assert (found.rows[0].state, found.rows[0].covers_from, found.rows[0].coalesced) == (RunState.MISSED, None, 0)


class TestALongOutage:
    def test_of_a_one_second_interval_is_not_enumerated(self) -> None:
        trigger = triggers.parse({"type": "interval", "seconds": 1, "start_at": NOON.isoformat()})
        days = timedelta(days=14)

        (folded,) = plan_of(trigger, now=NOON + days).rows
        each = plan_of(trigger, now=NOON + days, coalesce=False, max_instances=1000).rows

        assert folded.coalesced == days // SECOND
        assert len(each) == 101
        assert sum(row.coalesced + 1 for row in each) == days // SECOND + 1


SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=3))
POLICIES = st.builds(
    Policies,
    coalesce=st.booleans(),
    max_instances=st.integers(1, 5),
    misfire_grace_time=st.none() | st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=4)),
)


@st.composite
def intervals(draw: st.DrawFn) -> tuple[Trigger, list[datetime], datetime]:
    """An interval, its fire times from the first to ``now``, and ``now``."""
    step = timedelta(seconds=draw(st.integers(1, 7200)))
    now = NOON + min(draw(SPANS), 400 * step)
    ends_after = draw(st.none() | st.integers(0, 500))
    form = {"type": "interval", "seconds": int(step.total_seconds()), "start_at": NOON.isoformat()}
    fire_times = [NOON + n * step for n in range((now - NOON) // step + 1)]
    if ends_after is not None:
        end_at = NOON + ends_after * step
        form["end_at"] = end_at.isoformat()
        fire_times = [moment for moment in fire_times if moment <= end_at]
    return triggers.parse(form), fire_times, now


@st.composite
def crons(draw: st.DrawFn) -> tuple[Trigger, list[datetime], datetime]:
    """A cron in UTC that is judged here minute by minute, due at one of its fire times."""
    minutes = draw(st.sets(st.integers(0, 59), min_size=1, max_size=6))
    hours = draw(st.sets(st.integers(11, 15), min_size=1))
    expression = f"{','.join(map(str, sorted(minutes)))} {','.join(map(str, sorted(hours)))} * * *"
    day = [NOON.replace(hour=0) + n * MINUTE for n in range(24 * 60)]
    candidates = [moment for moment in day if moment.minute in minutes and moment.hour in hours]
    due_at = draw(st.sampled_from(candidates))
    now = due_at + draw(SPANS)
    trigger = triggers.parse({"type": "cron", "expression": expression, "timezone": "UTC"})
    return trigger, [moment for moment in candidates if due_at <= moment <= now], now


class TestEveryDueFireTime:
    @given(
        case=intervals() | crons(),
        policies=POLICIES,
        active=st.integers(0, 6),
        catch_up_limit=st.integers(1, 20),
    )
    def test_is_covered_by_exactly_one_row(
        self, case: tuple[Trigger, list[datetime], datetime], policies: Policies, active: int, catch_up_limit: int
    ) -> None:
        trigger, fire_times, now = case

        found = plan(
            trigger=trigger,
            due_at=fire_times[0],
            now=now,
            policies=policies,
            active=Active(runs=active),
            catch_up_limit=catch_up_limit,
        )

        covered: list[datetime] = []
        for row in found.rows:
            stands_for = [m for m in fire_times if (row.covers_from or row.scheduled_at) <= m <= row.scheduled_at]
            assert len(stands_for) == row.coalesced + 1
            assert stands_for[-1] == row.scheduled_at
            covered += stands_for
            late = policies.misfire_grace_time is not None and now - row.scheduled_at > policies.misfire_grace_time
            assert (row.state is RunState.MISSED) == late
            assert (row.state is RunState.QUEUED) == (row.reason is None)
        assert covered == fire_times
        queued = [row for row in found.rows if row.state is RunState.QUEUED]
        assert len([row for row in queued if not row.held]) <= max(0, policies.max_instances - active)
        assert len(queued) <= catch_up_limit
        assert found.next_fire_time is None or found.next_fire_time > now


class TestWhileARunWaitsForItsTurn:
    def plan(self, *, waiting_at: datetime, runs: int, late: timedelta = timedelta()) -> FirePlan:
        return plan(
            trigger=every_minute(),
            due_at=NOON + MINUTE,
            now=NOON + 3 * MINUTE + late,
            policies=Policies(coalesce=True, max_instances=1, misfire_grace_time=None, overlap=Overlap.QUEUE),
            active=Active(runs=runs, waiting=7, waiting_at=waiting_at),
            catch_up_limit=100,
        )

    def test_fire_times_are_folded_into_it(self) -> None:
        (row,) = self.plan(waiting_at=NOON, runs=1).rows

        assert (row.folded_into, row.coalesced, row.scheduled_at) == (7, 2, NOON + 3 * MINUTE)

    def test_no_later_fire_time_overtakes_it_when_there_is_room_again(self) -> None:
        (row,) = self.plan(waiting_at=NOON, runs=0).rows

        assert row.folded_into == 7

    def test_nothing_is_folded_into_it_across_a_gap(self) -> None:
        (row,) = self.plan(waiting_at=NOON - MINUTE, runs=1).rows

        assert (row.folded_into, row.held) == (None, True)


CUT = datetime(2026, 11, 26, 12, 0, 0, 123_000, tzinfo=UTC)


class TestATimeThatWasCutToMilliseconds:
    """``dumpdata`` writes no microseconds: the fire time that is meant is planned, and no other beside it."""

    @pytest.mark.parametrize("due_at", [CUT, CUT.replace(microsecond=0)])
    def test_is_the_fire_time_that_follows_at_once(self, due_at: datetime) -> None:
        meant = due_at + timedelta(microseconds=456)
        trigger = triggers.parse({"type": "interval", "hours": 1, "start_at": meant.isoformat()})

        found = plan(
            trigger=trigger,
            due_at=due_at,
            now=due_at + timedelta(minutes=1),
            policies=Policies(coalesce=True, max_instances=1, misfire_grace_time=None),
            active=NONE_ACTIVE,
            catch_up_limit=5,
        )

        assert [row.scheduled_at for row in found.rows] == [meant]
        assert found.next_fire_time == meant + timedelta(hours=1)

    def test_ends_a_date(self) -> None:
        meant = CUT + timedelta(microseconds=456)
        found = plan(
            trigger=triggers.parse({"type": "date", "run_at": meant.isoformat()}),
            due_at=CUT,
            now=CUT + timedelta(minutes=1),
            policies=Policies(coalesce=True, max_instances=1, misfire_grace_time=None),
            active=NONE_ACTIVE,
            catch_up_limit=5,
        )

        assert ([row.scheduled_at for row in found.rows], found.next_fire_time) == ([meant], None)

    @pytest.mark.parametrize("before", [timedelta(microseconds=1), timedelta(milliseconds=1), timedelta(seconds=3)])
    def test_is_no_other_time_before_a_fire_time(self, before: timedelta) -> None:
        due_at = CUT - before
        trigger = triggers.parse({"type": "interval", "hours": 1, "start_at": CUT.isoformat()})

        assert fire_plans.exact(trigger, due_at) == due_at
