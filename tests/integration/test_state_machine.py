"""
The protocol as a game: two nodes, one clock that anybody may move, and every call of the store in any order.

hypothesis plays it on a real database and looks for a sequence after which something is lost, doubled, taken from a
node that was given up, or run more often than it may.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from scheduler.core.states import NodeState, RunState
from scheduler.errors import AlreadyPaused, NotPaused
from scheduler.models import Job, Run
from scheduler.services import jobs
from scheduler.store.claiming import claims
from scheduler.store.liveness import nodes
from scheduler.store.liveness.nodes import Announcement
from scheduler.store.recording import finishing, runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection
from tests.ledger import NOON, SECOND

TASK = "sample.nothing"
EVERY = 10
"""Seconds between the fire times of the steady jobs."""

LEASE = timedelta(seconds=20)
REAP_AFTER_SECONDS = 30
STEADY = {
    "marked": {"rerun_if_interrupted": False, "max_instances": 1},
    "rerun": {"rerun_if_interrupted": True, "max_instances": 2},
    "each": {"rerun_if_interrupted": False, "max_instances": 2, "coalesce": False},
    "patient": {"rerun_if_interrupted": True, "max_instances": 1, "overlap": "queue"},
}

which_node = st.integers(0, 1)


@dataclass(slots=True)
class Node:
    """What one process knows. It may be frozen for any time: then it simply does not move."""

    session: Connection
    id: str = ""
    lease_until: datetime = NOON
    queued: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)

    def be_born(self, now: datetime) -> None:
        self.id = str(uuid4())
        self.queued, self.running = [], []
        announcement = Announcement(node=self.id, name="n", version="1", executors={}, tasks=[TASK])
        nodes.register(self.session, announcement=announcement, now=now)
        self.lease_until = now + LEASE


class Protocol(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.nodes = [Node(session=Connection(purpose="test")) for _ in range(2)]
        self.finished: dict[int, tuple[Any, ...]] = {}
        self.begun: Counter[int] = Counter()
        self.begun_at: Counter[tuple[str, datetime]] = Counter()

    @initialize()
    def begin(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE scheduler_run, scheduler_job, scheduler_node, django_apscheduler_djangojob,"
                " scheduler_rollup, scheduler_counter CASCADE"
            )
        for node in self.nodes:
            node.be_born(self.now)
        anchor = {"type": "interval", "seconds": EVERY, "start_at": NOON.isoformat(), "timezone": "UTC"}
        for id, policies in STEADY.items():
            jobs.create(id=id, task=TASK, trigger=anchor, misfire_grace_time=None, now=self.now, **policies)
        jobs.create(id="edited", task=TASK, trigger=anchor, misfire_grace_time=60, now=self.now)

    def teardown(self) -> None:
        for node in self.nodes:
            node.session.close()

    @rule(seconds=st.sampled_from([1, 5, 10, 25, 35, 90]))
    def let_time_pass(self, seconds: int) -> None:
        self.now += seconds * SECOND

    @rule(seconds=st.integers(1, 3600))
    def set_the_clock_back(self, seconds: int) -> None:
        self.now -= seconds * SECOND

    @rule(which=which_node, room=st.integers(0, 3))
    def claim(self, which: int, room: int) -> None:
        node = self.nodes[which]
        if self.now >= node.lease_until:
            return
        found = claims.claim_due(
            node.session, node=node.id, tasks=[TASK], limit=10, room={"default": room}, catch_up_limit=5, now=self.now
        )
        node.queued += [run.id for run in found.owned]

    @rule(which=which_node)
    def lose_the_answer_to_a_claim(self, which: int) -> None:
        node = self.nodes[which]
        claims.claim_due(
            node.session, node=node.id, tasks=[TASK], limit=10, room={"default": 2}, catch_up_limit=5, now=self.now
        )

    @rule(which=which_node, limit=st.integers(1, 3))
    def take(self, which: int, limit: int) -> None:
        node = self.nodes[which]
        taken = runs.take(node.session, node=node.id, executor="default", tasks=[TASK], limit=limit, now=self.now)
        node.queued += [run.id for run in taken]

    @rule(which=which_node)
    def reconcile(self, which: int) -> None:
        node = self.nodes[which]
        owned = runs.owned(node.session, node=node.id)
        unknown = [run_id for run_id in owned if run_id not in (*node.queued, *node.running)]
        runs.give_back(node.session, runs=unknown, node=node.id)
        node.queued = [run_id for run_id in node.queued if run_id in owned]

    @rule(which=which_node)
    def start(self, which: int) -> None:
        """Pass the gate and begin: also long after the lease was looked at, as a frozen node does."""
        node = self.nodes[which]
        started = runs.start(node.session, runs=node.queued, node=node.id, now=self.now).runs
        for run in Run.objects.filter(pk__in=started):
            self.begun[run.pk] += 1
            self.begun_at[run.job_key, run.scheduled_at] += 1
        node.queued = []
        node.running += started

    @rule(which=which_node, state=st.sampled_from([RunState.SUCCEEDED, RunState.FAILED]))
    def finish(self, which: int, state: RunState) -> None:
        node = self.nodes[which]
        outcomes = [
            Outcome(run_id=run, state=state, started=0, finished=1, error="E" if state is RunState.FAILED else None)
            for run in node.running
        ]
        if not outcomes:
            return
        still_its_own = set(
            Run.objects.filter(pk__in=node.running, node=node.id, finished_at=None).values_list("pk", flat=True)
        )
        recorded = finishing.finish(node.session, outcomes=outcomes, node=node.id, clock=1, now=self.now)
        assert recorded.runs == still_its_own
        HeldRuns().release(node.session, now=self.now)
        node.running = []

    @rule(which=which_node)
    def crash_and_start_again(self, which: int) -> None:
        self.nodes[which].be_born(self.now)

    @rule(which=which_node)
    def beat(self, which: int) -> None:
        node = self.nodes[which]
        if nodes.beat(node.session, node=node.id, now=self.now) is None:
            node.be_born(self.now)
        node.lease_until = self.now + LEASE

    @rule(which=which_node)
    def reap(self, which: int) -> None:
        node = self.nodes[which]
        nodes.reap(node.session, reaper=node.id, reap_after_seconds=REAP_AFTER_SECONDS, max_recoveries=2, now=self.now)

    @rule(which=which_node)
    def stop_and_start_again(self, which: int) -> None:
        node = self.nodes[which]
        nodes.change_state(node.session, node=node.id, state=NodeState.STOPPING, now=self.now)
        runs.give_back(node.session, runs=node.queued, node=node.id)
        nodes.change_state(node.session, node=node.id, state=NodeState.STOPPED, now=self.now)
        node.be_born(self.now)

    @rule(seconds=st.integers(1, 60))
    def edit(self, seconds: int) -> None:
        jobs.update(job=Job(pk="edited", name="edited"), trigger={"type": "interval", "seconds": seconds}, now=self.now)

    @rule()
    def pause(self) -> None:
        try:
            jobs.pause(job=Job(pk="edited", name="edited"), now=self.now)
        except AlreadyPaused:
            assert Job.objects.get(pk="edited").next_run_time is None

    @rule()
    def resume(self) -> None:
        try:
            jobs.resume(job=Job(pk="edited", name="edited"), now=self.now)
        except NotPaused:
            assert Job.objects.get(pk="edited").state != "paused"

    @invariant()
    def every_fire_time_is_covered_once(self) -> None:
        for job in Job.objects.filter(pk__in=STEADY):
            covered = []
            for run in Run.objects.filter(job=job, attempt=1).order_by("scheduled_at"):
                moment = run.covers_from or run.scheduled_at
                while moment <= run.scheduled_at:
                    covered.append(moment)
                    moment += EVERY * SECOND
                assert (run.scheduled_at - (run.covers_from or run.scheduled_at)) / (EVERY * SECOND) == run.coalesced
            count = (job.next_run_time - NOON) // (EVERY * SECOND)
            assert covered == [NOON + number * EVERY * SECOND for number in range(count)], job.pk

    @invariant()
    def what_is_finished_stays_as_it_is(self) -> None:
        found = {row[0]: row for row in Run.objects.finished().values_list("pk", "state", "finished_at", "node")}
        assert {run_id: found[run_id] for run_id in self.finished} == self.finished
        self.finished = found

    @invariant()
    def no_body_begins_twice_for_one_run(self) -> None:
        assert all(count == 1 for count in self.begun.values())

    @invariant()
    def what_must_not_be_run_again_is_not(self) -> None:
        twice = [key for key, count in self.begun_at.items() if count > 1 and key[0] in ("marked", "each", "edited")]
        assert not twice

    @invariant()
    def no_more_runs_are_active_than_a_job_allows(self) -> None:
        active = Counter(Run.objects.active().filter(held=False).values_list("job_key", flat=True))
        for id, policies in STEADY.items():
            assert active[id] <= policies["max_instances"]


@pytest.mark.django_db(transaction=True)
class TestTheProtocol:
    def test_keeps_its_promises_in_any_order_of_events(self) -> None:
        run_state_machine_as_test(
            Protocol,
            settings=settings(
                max_examples=15,
                stateful_step_count=35,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
