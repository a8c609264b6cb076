"""
A row that SQL allows and nobody expects stops no other.

One row of one table gets an odd value in one column, past the services. Beside it stands a healthy job that is due.
Every duty of a node is then done, in its order, and the healthy job must have been run and recorded.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
from django.db import Error, connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import conf
from scheduler.core.states import NodeState, RunState
from scheduler.engine.duties.inspection import break_jobs_without_a_task, inspect_jobs
from scheduler.engine.duties.resume import end_pauses
from scheduler.execution.recorder import Recorder
from scheduler.models import Job, Run
from scheduler.store.claiming import claims
from scheduler.store.claiming.positions import Positions
from scheduler.store.liveness import nodes
from scheduler.store.recording import runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_node, add_run

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "sample.nothing"

TIMES = ("infinity", "-infinity", "20000-01-01", "294276-12-31", "0044-03-15 BC", "0001-01-01", "9999-12-31")
WHOLE = ("2147483647", "-2147483648", "32767", "-32768", "0", "1", "9223372036854775807")
NUMBERS = ("NaN", "Infinity", "-Infinity", "1e308", "-1", "0", "1e-308")
TEXTS = ("", "weird", "\u0001", "x" * 255, 'a"b\\c{d},e', "‮", "null", "%s %(x)s")
JSON = ("null", "[]", "{}", "1e308", '"text"', '{"$sealed": 1}', "[[[[[[]]]]]]", '{"type": "cron"}', "[null]")
LISTS = ("{}", "{NULL}", '{"a\\"b"}')
IDENTITIES = (str(uuid4()), "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")

VALUES: dict[str, tuple[str | None, ...]] = {
    "timestamp with time zone": TIMES,
    "integer": WHOLE,
    "smallint": WHOLE,
    "bigint": WHOLE,
    "double precision": NUMBERS,
    "text": TEXTS,
    "character varying": TEXTS,
    "jsonb": JSON,
    "boolean": ("true", "false"),
    "uuid": IDENTITIES,
    "ARRAY": LISTS,
    "bytea": ("",),
}

KEYS = {"id", "djangojob_ptr_id"}

PLACES: dict[str, str] = {
    "due job": "scheduler_job",
    "when it is due": "django_apscheduler_djangojob",
    "job to inspect": "scheduler_job",
    "pause that ends": "scheduler_job",
    "waiting run": "scheduler_run",
    "held run of a due job": "scheduler_run",
    "run of mine": "scheduler_run",
    "run of a lost node": "scheduler_run",
    "a lost node": "scheduler_node",
}


def columns(table: str) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s ORDER BY 1", [table]
        )
        return [(name, kind) for name, kind in cursor.fetchall() if name not in KEYS]


class Scene:
    """The healthy job, an odd row, and a node that does everything once."""

    def __init__(self) -> None:
        self.session = Connection(purpose="test")
        self.node = add_node(beat_at=timezone.now())
        self.lost = add_node(beat_at=timezone.now() - timedelta(days=1), state=NodeState.LOST)
        self.settled: list[int] = []
        self.recorder = Recorder(
            identity=self,
            settled=lambda outcomes: self.settled.extend(outcome.run_id for outcome in outcomes),
            released=lambda: None,
            gather_seconds=0,
            rows=100,
            backlog=100,
        )

    def prepare(self, place: str) -> tuple[str, str]:
        """Write the odd row while it is still sound; return its table's key column and value."""
        now = timezone.now()
        due = now - timedelta(seconds=2)
        add_job("good", due_at=now - timedelta(seconds=1), task=TASK)
        if place in ("due job", "when it is due"):
            add_job("odd", due_at=due, task=TASK)
            return ("id" if place == "when it is due" else "djangojob_ptr_id"), "odd"
        if place == "job to inspect":
            add_job("odd", due_at=due, task=TASK, needs_inspection=True)
            return "djangojob_ptr_id", "odd"
        if place == "pause that ends":
            add_job("odd", due_at=None, task=TASK, state="paused", paused_until=due)
            return "djangojob_ptr_id", "odd"
        if place == "a lost node":
            add_run(add_job("odd", due_at=None, task=TASK), scheduled_at=due, node=self.lost, state=RunState.RUNNING)
            return "id", self.lost
        job = add_job("odd", due_at=due if place.startswith("held") else None, task=TASK, rerun_if_interrupted=True)
        given: dict[str, Any] = {
            "waiting run": {},
            "held run of a due job": {"held": True},
            "run of mine": {"node": self.node, "state": RunState.RUNNING},
            "run of a lost node": {"node": self.lost, "state": RunState.RUNNING},
        }[place]
        return "id", str(add_run(job, scheduled_at=due - timedelta(hours=1), **given).pk)

    def do_everything(self) -> None:
        positions, held = Positions(whole_seconds=0), HeldRuns()
        for _ in range(2):
            nodes.reap(self.session, reaper=self.node, reap_after_seconds=3600, max_recoveries=3)
            end_pauses(self.session, settings=conf.get())
            inspect_jobs(self.session, settings=conf.get(), broken=True)
            break_jobs_without_a_task(self.session)
            runs.cancel_orphans(self.session, limit=10)
            positions.advance(self.session)
            room = {"default": 50}
            owned = claims.claim_due(
                self.session,
                node=self.node,
                tasks={TASK},
                limit=50,
                room=room,
                catch_up_limit=5,
                positions=positions,
            ).owned
            owned += runs.take(self.session, node=self.node, executor="default", tasks={TASK}, limit=50)
            held.release(self.session)
            started = runs.start(self.session, runs=[run.id for run in owned], node=self.node).runs
            ended = set(runs.owned(self.session, node=self.node)) | started
            now = time.monotonic_ns() // 1000
            states = (RunState.SUCCEEDED, RunState.FAILED)
            outcomes = [
                Outcome(
                    run_id=run, state=states[place % 2], started=now, finished=now, error="x" if place % 2 else None
                )
                for place, run in enumerate(sorted(ended))
            ]
            if outcomes:
                self.recorder._record(outcomes)
            runs.next_due(self.session, tasks={TASK}, executors={"default"}, since=positions.due_from)

    def close(self) -> None:
        self.session.close()
        self.recorder.connection.close()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM scheduler_run; DELETE FROM scheduler_node")
            cursor.execute("DELETE FROM scheduler_job; DELETE FROM django_apscheduler_djangojob")
            cursor.execute("DELETE FROM scheduler_rollup; DELETE FROM scheduler_counter; DELETE FROM scheduler_change")


@pytest.fixture
def cases(transactional_db: None) -> list[tuple[str, str, str | None]]:
    return [
        (place, column, value)
        for place, table in PLACES.items()
        for column, kind in columns(table)
        for value in (*VALUES[kind], None)
    ]


def the_healthy_job_goes_on(place: str, column: str, value: str | None) -> None:
    scene = Scene()
    try:
        key, identity = scene.prepare(place)
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"UPDATE {PLACES[place]} SET {column} = %s WHERE {key} = %s", [value, identity])  # noqa: S608
        except (Error, psycopg2.Error):
            return  # SQL does not allow it
        scene.do_everything()
        states = list(Run.objects.filter(job_key="good").values_list("state", flat=True))
        assert states, f"not planned beside {place}.{column} = {value!r}"
        assert set(states) <= {"succeeded", "failed"}, f"{states} beside {place}.{column} = {value!r}"
        assert Job.objects.filter(pk="good", state="active").defer("job_state").exists()
    finally:
        scene.close()


class TestAnOddRow:
    def test_stops_no_other_job(self, cases: list[tuple[str, str, str | None]]) -> None:
        @settings(
            max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None, derandomize=False
        )
        @given(case=st.sampled_from(cases))
        def one(case: tuple[str, str, str | None]) -> None:
            the_healthy_job_goes_on(*case)

        one()

    @pytest.mark.timeout(7200)
    @pytest.mark.skipif("ODD_ROWS" not in os.environ, reason="every case: ODD_ROWS=1")
    def test_of_every_kind_stops_no_other_job(self, cases: list[tuple[str, str, str | None]]) -> None:
        found = []
        for case in cases:
            try:
                the_healthy_job_goes_on(*case)
            except Exception as error:  # noqa: BLE001 - all of them are to be told
                found.append((*case, f"{type(error).__name__}: {error}"[:300]))
                print(*found[-1], flush=True)
        assert not found, "\n".join(map(str, found))
