"""While a transaction elsewhere stays open, the statements of a claim read what is there and not what has passed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from scheduler.core.buckets import LAG_SECONDS, RUN_SECONDS
from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.services.runs import enqueueing
from scheduler.services.runs.enqueueing import Call
from scheduler.store import statements
from scheduler.store.claiming import claims, heads, positions
from scheduler.store.claiming.heads import Heads
from scheduler.store.claiming.positions import Positions
from scheduler.store.recording import finishing, rollups, runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.sessions.connections import Connection, array, texts
from tests.integration.store.conftest import Open
from tests.integration.store.reading import blocks, nodes_of
from tests.ledger import ANY_JOB, TASK, add_job, add_node, add_run, multiply

JOBS = 50
ROUNDS = 20


@pytest.fixture
def held(open_session: Open) -> Iterator[None]:
    """A transaction that sees the database as it is now, as a dump does."""
    session = open_session().raw()
    session.autocommit = False
    with session.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1")
    yield
    session.rollback()
    session.autocommit = True


class Past:
    """Some jobs that have fired many times a moment ago."""

    def __init__(self, session: Connection) -> None:
        self.session = session
        self.node = add_node(beat_at=timezone.now())
        self.positions = Positions(whole_seconds=3600)
        self.begin = timezone.now() - timedelta(seconds=ROUNDS + 10)
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH parent AS (INSERT INTO django_apscheduler_djangojob (id, next_run_time, job_state)"
                " SELECT 'job-' || n, %s, '' FROM generate_series(1, %s) AS n RETURNING id)"
                " INSERT INTO scheduler_job (djangojob_ptr_id, name, task, trigger, needs_inspection)"
                " SELECT id, id, %s, jsonb_build_object('type', 'interval', 'seconds', 1, 'timezone', 'UTC',"
                " 'start_at', %s::text), false FROM parent",
                [self.begin, JOBS, TASK, self.begin.isoformat()],
            )

    def go_by(self) -> None:
        for second in range(ROUNDS):
            now = self.begin + timedelta(seconds=second, milliseconds=1)
            claimed = claims.claim_due(
                self.session,
                node=self.node,
                tasks={TASK},
                limit=JOBS,
                room={"default": JOBS},
                catch_up_limit=5,
                positions=self.positions,
                now=now,
            )
            clock = time.monotonic_ns() // 1000
            outcomes = [
                Outcome(run_id=run.id, state=RunState.SUCCEEDED, started=clock, finished=clock) for run in claimed.owned
            ]
            assert len(outcomes) == JOBS
            finishing.finish(self.session, outcomes=outcomes, node=self.node, clock=clock, now=now)
        self.positions.forget_due()
        self.positions.advance(self.session)

    def blocks(self, statement: str, *, scan_of: str = "", **parameters: Any) -> int:
        return blocks(self.session, statement, scan_of=scan_of, **parameters)


@pytest.fixture
def past(held: None, session: Connection, monkeypatch: pytest.MonkeyPatch) -> Past:
    monkeypatch.setattr(positions, "_FORGET_SECONDS", 3600.0)  # on a busy machine the past may take minutes
    past = Past(session)
    past.go_by()
    return past


class TestWhatAClaimReads:
    def test_does_not_grow_with_what_has_passed(self, past: Past) -> None:
        names = [f"job-{number}" for number in range(1, JOBS + 1)]
        since = past.positions.first_active(names)
        now = past.begin + timedelta(seconds=ROUNDS, milliseconds=1)
        due = {"now": now, "tasks": [TASK], "limit": JOBS}

        counted = past.blocks("count_active_runs", jobs=texts(names), since=array(since))
        counted_from_the_first = past.blocks("count_active_runs", jobs=texts(names), since=array([0] * JOBS))
        begun = {**ANY_JOB, "since": past.positions.due_from}
        claimed = past.blocks("claim_due_jobs", scan_of="parent", **due, **begun)
        claimed_from_the_first = past.blocks("claim_due_jobs", scan_of="parent", **due, **ANY_JOB)

        # Without positions, the entries of all that has passed are read: that is what the others are held against.
        assert counted_from_the_first > 5 * counted
        assert claimed_from_the_first > 3 * claimed
        assert counted < 6 * JOBS

    def test_of_the_jobs_finds_the_runs_that_are_active_all_the_same(self, past: Past) -> None:
        names = [f"job-{number}" for number in range(1, JOBS + 1)]
        claimed = claims.claim_due(
            past.session,
            node=past.node,
            tasks={TASK},
            limit=JOBS,
            room={"default": JOBS},
            catch_up_limit=5,
            positions=past.positions,
            now=past.begin + timedelta(seconds=ROUNDS, milliseconds=1),
        )

        found = past.session.execute(
            "count_active_runs", jobs=texts(names), since=array(past.positions.first_active(names))
        )

        assert sorted(row[-1] for row in found) == sorted(run.id for run in claimed.owned)


class TestWhatRecordingReads:
    """Runs are found by their numbers: an index of active runs has an entry for every run that has ended meanwhile."""

    @pytest.mark.parametrize("statement", ["succeed_runs", "finish_runs", "give_back_runs", "note_runs"])
    def test_is_not_what_has_passed(self, past: Past, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE scheduler_run")

        with past.session.raw().cursor() as cursor:
            cursor.execute("EXPLAIN (FORMAT JSON) " + statements.load(statement), _for_runs(statement, past.node))
            ((found,),) = cursor.fetchall()

        scans = [
            node for node in nodes_of(found[0]["Plan"]) if node.get("Alias") == "run" and "Scan" in node["Node Type"]
        ]
        assert scans
        assert {scan.get("Index Name", "scheduler_run_pkey") for scan in scans} == {"scheduler_run_pkey"}


class TestWhatCountingReads:
    """Each batch of outcomes changes the same counters: whoever looks a row up visits all its former versions."""

    def test_does_not_grow_with_what_was_counted(
        self, held: None, session: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rollups, "CHANGES_OF_A_KEY", 20)
        node = add_node()
        runs = _of_many_jobs(107)
        for _ in range(105):
            assert not rollups.count(session, runs=[runs.pop()], node=node)
            rollups.fold(session, node=node)
        key = rollups._keys.use(node)

        found = blocks(session, "roll_up_runs", scan_of="counter", **_of_one_run(runs.pop(), key))
        _change_counter(key, times=2000)

        # Under one key all the time, the versions of all that was counted are visited.
        assert blocks(session, "roll_up_runs", scan_of="counter", **_of_one_run(runs.pop(), key)) > 5 * found


def _change_counter(key: str, *, times: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DO $$ DECLARE place tid; BEGIN SELECT ctid INTO STRICT place FROM scheduler_counter WHERE node = %s;"
            " FOR change IN 1..%s LOOP"
            " UPDATE scheduler_counter SET runs = runs WHERE ctid = place RETURNING ctid INTO place;"
            " END LOOP; END $$",
            [key, times],
        )


def _of_many_jobs(count: int) -> list[int]:
    """Write runs that have ended, each of another job, so that none changes the roll-up of another."""
    add_run(add_job(), state=RunState.SUCCEEDED)
    multiply(
        "scheduler_run",
        "id",
        count=count - 1,
        changes="jsonb_build_object('id', original.id + n, 'public_id', gen_random_uuid(), 'job_id', NULL,"
        " 'job_key', 'job-' || n)",
    )
    return list(Run.objects.values_list("pk", flat=True))


def _of_one_run(run: int, key: str) -> dict[str, Any]:
    return {"runs": array([run]), "key": key, "run_bounds": list(RUN_SECONDS), "lag_bounds": list(LAG_SECONDS)}


class Line:
    """A line in which runs wait, and one node that takes them."""

    def __init__(self, session: Connection, track: str) -> None:
        self._session = session
        self._track = track
        self._node = str(uuid4())
        self.heads = Heads()

    def add(self, count: int, **changes: Any) -> list[int]:
        """Add runs that do nothing, and return their numbers."""
        answers = enqueueing.enqueue_many(calls=[Call(task="sample.nothing", **changes)] * count)
        added = Run.objects.filter(public_id__in=[answer.public_id for answer in answers])
        added.update(executor=self._track)
        return list(added.order_by("id").values_list("pk", flat=True))

    def give_back(self, run: int) -> None:
        Run.objects.filter(pk=run).update(node=None, due_at=timezone.now() - timedelta(hours=1))

    def take(self, *, limit: int = 100) -> list[int]:
        taken = runs.take(self._session, executor=self._track, limit=limit, heads=self.heads, **self._given)
        return [run.id for run in taken]

    def blocks(self, *, from_the_first: bool = False) -> int:
        """Return how much is read to take one run."""
        found = Heads() if from_the_first else self.heads
        given = {"executor": self._track, "limit": 1, "only": None, "now": None, **self._given}
        return blocks(self._session, "take_enqueued_runs", **given, **found.position(self._track))

    @property
    def is_read_whole(self) -> bool:
        return self.heads.position(self._track)["priorities"] is None

    @property
    def _given(self) -> dict[str, Any]:
        return {"node": self._node, "tasks": ["sample.nothing"]}


@pytest.mark.parametrize("track", ["default@default", "default"], ids=("of_a_queue", "of_jobs"))
class TestWhatTakingReads:
    @pytest.fixture
    def line(self, held: None, session: Connection, track: str, monkeypatch: pytest.MonkeyPatch) -> Line:
        """A line of which much has been taken. To read it from its first entry counts as slow."""
        monkeypatch.setattr(heads, "QUICK_SECONDS", -1.0)
        monkeypatch.setattr(heads, "_QUICK_SECONDS_A_RUN", 0.0)
        monkeypatch.setattr(heads, "SHARE", 1e9)
        monkeypatch.setattr(heads, "_SHARE_IF_FOUND", 1e9)
        monkeypatch.setattr(heads, "_LATE", timedelta(0))
        line = Line(session, track)
        for _ in range(10):
            line.add(300)
            while line.take():
                pass
        line.take()  # from the first entry to the end of the line
        return line

    def test_does_not_grow_with_what_was_taken(self, line: Line) -> None:
        assert 5 * line.blocks() < line.blocks(from_the_first=True)

    def test_does_not_grow_within_a_flood_of_one_moment(self, line: Line) -> None:
        line.add(1000)
        for _ in range(9):
            assert len(line.take()) == 100

        assert 3 * line.blocks() < line.blocks(from_the_first=True)

    def test_finds_what_is_added_since_in_its_order(self, line: Line) -> None:
        first, second = line.add(2)

        assert line.take(limit=1) == [first]
        (third,) = line.add(1)
        assert line.take() == [second, third]
        assert line.take() == []

    def test_finds_what_came_out_of_turn_when_it_reads_all_of_it(
        self, line: Line, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (urgent,) = line.add(1, priority=50)
        returned, later = Run.objects.order_by("id").values_list("pk", flat=True)[:2]
        line.give_back(returned)
        assert line.take() == []

        monkeypatch.setattr(heads, "SHARE", 0)
        assert line.take() == [urgent, returned]

        monkeypatch.setattr(heads, "SHARE", 1e9)
        monkeypatch.setattr(heads, "_SHARE_IF_FOUND", 0)
        line.give_back(later)
        assert line.take() == [later], "after it found some, it does not look again soon"
        assert line.take() == []
        line.give_back(later)
        assert line.take() == [], "after it found none, it looks again soon"

    def test_is_all_of_it_while_that_is_quick(self, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(heads, "QUICK_SECONDS", 60.0)
        line.heads = Heads()
        for priority in (10, 20, 30):
            (run,) = line.add(1, priority=priority)

            assert line.take() == [run]
            assert line.is_read_whole


def _for_runs(statement: str, node: str) -> dict[str, Any]:
    """Return parameters for a batch of runs; those that a statement does not have are not looked at."""
    runs = list(range(1, 101))
    names = re.findall(r"%\((\w+)\)s::(\w+)\[\]", statements.load(statement))
    arrays = {name: array(runs) if kind == "bigint" else texts([None] * len(runs)) for name, kind in names}
    return {**arrays, "node": node, "now": None}
