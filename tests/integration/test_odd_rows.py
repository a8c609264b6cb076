"""
A row that SQL allows and nobody expects stops no other.

One row of one table gets an odd value in one column, past the services. Beside it stands a healthy job that is due.
Every duty of a node is then done, in its order, and the healthy job must have been run and recorded.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from functools import cache

import psycopg2
import pytest
from django.db import Error, connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import conf
from scheduler.core.states import RunState
from scheduler.core.tasks.limits import Share
from scheduler.engine.duties.inspection import break_jobs_without_a_task, inspect_jobs
from scheduler.engine.duties.resume import end_pauses
from scheduler.execution.recorder import Recorder
from scheduler.models import Job, Run
from scheduler.store import alerts
from scheduler.store.accounting import owed
from scheduler.store.claiming import claims, limits
from scheduler.store.claiming.positions import Positions
from scheduler.store.cleaning import removals, restorations
from scheduler.store.liveness import nodes
from scheduler.store.measuring import measures
from scheduler.store.measuring.measures import OwnMeasures
from scheduler.store.recording import enqueued, runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_run
from tests.odd_rows import HEALTHY, PLACES, RATE, TASK, VALUES, Place
from tests.odd_rows import nodes as add_nodes

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = {"id", "djangojob_ptr_id"}

Case = tuple[str, str, str | None]
"""The place, the column, and what is written there."""


@cache
def columns(table: str) -> tuple[tuple[str, str], ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY 1", [table]
        )
        return tuple((name, kind) for name, kind in cursor.fetchall() if name not in KEYS)


class Scene:
    """The healthy job, and a node that does everything once."""

    def __init__(self) -> None:
        self.session = Connection(purpose="test")
        self.nodes = add_nodes()
        self.node = self.nodes.own
        self.settled: list[int] = []
        self.recorder = Recorder(
            identity=self,
            settled=lambda outcomes: self.settled.extend(outcome.run_id for outcome in outcomes),
            released=lambda: None,
            gather_seconds=0,
            rows=100,
            backlog=100,
        )
        add_job(HEALTHY, due_at=timezone.now() - timedelta(seconds=1), task=TASK)
        self.limited = add_run(add_job("limited", due_at=None, task=TASK), node=self.node).pk

    def do_everything(self) -> None:
        positions, held = Positions(whole_seconds=0), HeldRuns()
        for _ in range(2):
            self._look_after_others()
            positions.advance(self.session)
            owned = claims.claim_due(
                self.session,
                node=self.node,
                tasks={TASK},
                limit=50,
                room={"default": 50},
                catch_up_limit=5,
                positions=positions,
            ).owned
            owned += runs.take(self.session, node=self.node, executor="default", tasks={TASK}, limit=50)
            held.release(self.session)
            self._start_under_a_limit()
            started = runs.start(self.session, runs=[run.id for run in owned], node=self.node).runs
            self._record(set(runs.owned(self.session, node=self.node)) | started)
            runs.next_due(self.session, tasks={TASK}, executors={"default"}, since=positions.due_from)
            self._judge()

    def _look_after_others(self) -> None:
        nodes.reap(self.session, reaper=self.node, reap_after_seconds=3600, max_recoveries=3)
        end_pauses(self.session, settings=conf.get())
        inspect_jobs(self.session, settings=conf.get(), broken=True)
        windows = owed.find(self.session)
        owed.account(self.session, windows=windows, node=self.node)
        removals.detach(self.session)
        restorations.attach(self.session)
        break_jobs_without_a_task(self.session)
        runs.cancel_orphans(self.session, limit=10)
        enqueued.paused_queues(self.session)
        enqueued.expire(self.session, node=self.node)
        enqueued.waiting_tracks(self.session, tasks={TASK})
        limits.grant_waiting(self.session)
        limits.forget(self.session)
        measures.report(self.session, node=self.node, measured=MEASURED)

    def _start_under_a_limit(self) -> None:
        share = Share(rate_key=RATE, rate_seconds=1.0, label=RATE)
        limits.request_start(self.session, node=self.node, shares={self.limited: share})

    def _record(self, ended: set[int]) -> None:
        now = time.monotonic_ns() // 1000
        states = (RunState.SUCCEEDED, RunState.FAILED)
        outcomes = [
            Outcome(run_id=run, state=states[place % 2], started=now, finished=now, error="x" if place % 2 else None)
            for place, run in enumerate(sorted(ended))
        ]
        if outcomes:
            self.recorder._record(outcomes)

    def _judge(self) -> None:
        for kind in alerts.JUDGED_BY_TIME:
            alerts.judge(self.session, kind=kind)
        alerts.settle_interrupted(self.session)
        alerts.close_orphans(self.session)

    def close(self) -> None:
        self.session.close()
        self.recorder.connection.close()


MEASURED = OwnMeasures(
    clock=datetime(2027, 3, 1, tzinfo=UTC),
    backlog=0,
    backlog_seconds=0.0,
    tick_seconds=0.0,
    busy={},
    waiting={},
    connections=1,
    brokers={},
    memory_bytes=1,
    processors=0.1,
)

_CLEARED = (
    "scheduler_run",
    "scheduler_node",
    "scheduler_job",
    "django_apscheduler_djangojob",
    "scheduler_rollup",
    "scheduler_counter",
    "scheduler_queuecounter",
    "scheduler_taskstreak",
    "scheduler_nodemeasure",
    "scheduler_queue",
    "scheduler_rate_limit",
    "scheduler_limited_run",
    "scheduler_incident",
    "scheduler_rule",
    "scheduler_mute",
    "scheduler_owed",
    "scheduler_removed",
    "scheduler_restored",
    "scheduler_change",
)


def clear() -> None:
    with connection.cursor() as cursor:
        for table in _CLEARED:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608 - names from above


@pytest.fixture
def cases(transactional_db: None) -> list[Case]:
    """Return every odd value of every column of every place."""
    found: list[Case] = []
    for name, write in PLACES.items():
        table = write(add_nodes()).table
        clear()
        found += [(name, column, value) for column, kind in columns(table) for value in (*VALUES[kind], None)]
    return found


def write_oddly(place: Place, *, column: str, value: str | None) -> bool:
    """Return whether SQL allows the value."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE {place.table} SET {column} = %s WHERE {place.key}::text = %s",  # noqa: S608 - names from above
                [value, place.identity],
            )
    except (Error, psycopg2.Error):
        return False
    return True


def the_healthy_job_goes_on(name: str, column: str, value: str | None) -> None:
    scene = Scene()
    try:
        place = PLACES[name](scene.nodes)
        if not write_oddly(place, column=column, value=value):
            return
        scene.do_everything()
        states = list(Run.objects.filter(job_key=HEALTHY).values_list("state", "error"))
        assert states, f"not planned beside {name}.{column} = {value!r}"
        assert set(states) <= {("succeeded", None), ("failed", "x")}, f"{states} beside {name}.{column} = {value!r}"
        assert Job.objects.filter(pk=HEALTHY, state="active").defer("job_state").exists()
    finally:
        scene.close()
        clear()


class TestAnOddRow:
    def test_stops_no_other_job(self, cases: list[Case]) -> None:
        @settings(
            max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=False
        )
        @given(case=st.sampled_from(cases))
        def one(case: Case) -> None:
            the_healthy_job_goes_on(*case)

        one()

    @pytest.mark.timeout(7200)
    @pytest.mark.skipif("ODD_ROWS" not in os.environ, reason="every case: ODD_ROWS=1")
    @pytest.mark.parametrize("name", PLACES)
    def test_of_every_kind_stops_no_other_job(self, cases: list[Case], name: str) -> None:
        found = []
        for case in cases:
            if case[0] != name:
                continue
            try:
                the_healthy_job_goes_on(*case)
            except Exception as error:  # noqa: BLE001 - all of them are to be told
                found.append((*case, f"{type(error).__name__}: {error}"[:300]))
        assert not found, "\n".join(map(str, found))
