"""Ringing: what is stamped, committed and then sent, also when the broker or the node fails in between."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from scheduler import conf
from scheduler.core.states import NodeState, RunState
from scheduler.engine.node import Node
from scheduler.engine.reporter import Reporter
from scheduler.models import Node as NodeRow
from scheduler.models import NodeMeasure, Queue, Run
from scheduler.remote import executors
from scheduler.remote.ringing import Ringers
from scheduler.services import jobs, runs
from scheduler.services.queries import health
from scheduler.store.claiming import claims, rings
from scheduler.store.claiming.rings import StampedRun
from scheduler.store.recording import finishing
from scheduler.store.recording import runs as ledger
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.held_runs import HeldRuns
from scheduler.store.sessions.connections import Connection
from tests import bells
from tests.bells import Broker
from tests.ledger import add_job, add_node, add_run, take_rung
from tests.nodes import make_node
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "sample.nothing"
NOW = timezone.now()
SOON = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}
AGAIN, LONGEST = 30.0, 600.0

Start = Callable[..., Node]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts nodes that do their passes until the condition that ``work`` is given holds."""
    started: list[Node] = []

    def start_one(**changes: Any) -> Node:
        started.append(make_node(**changes))
        return started[-1]

    yield start_one
    for node in started:
        node.stop(grace_seconds=0.1)


def work(*nodes: Node, until: Callable[[], Any], timeout: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, list(Run.objects.values("id", "executor", "state", "rings", "rung_at"))
        for node in nodes:
            node.wakeups.sleep(timeout=min(node.run_once(), 0.02))


def waiting(number: int = 1, *, executor: str = "celery:scrape", **changes: Any) -> list[Run]:
    """Write runs that want to be rung, a tenth of a second apart."""
    job = add_job(id=f"job{Run.objects.count()}", due_at=None, task=TASK)
    due = NOW - timedelta(minutes=10)
    return [
        add_run(job, scheduled_at=due + timedelta(milliseconds=100 * place), **{"executor": executor, **changes})
        for place in range(number)
    ]


def stamp(session: Connection, **changes: Any) -> list[StampedRun]:
    given = {"broker": "celery", "limit": 100, "most_inflight": 100, "now": NOW}
    found = rings.stamp(session, **{**given, "again_seconds": AGAIN, "longest_seconds": LONGEST, **changes})
    assert found is not None
    return list(found)


def next_ring(session: Connection, **changes: Any) -> rings.NextRing:
    given = {"broker": "celery", "most_inflight": 100, "again_seconds": AGAIN, "longest_seconds": LONGEST, "now": NOW}
    return rings.next_ring(session, **{**given, **changes})


def stamped(run: Run) -> tuple[int, bool]:
    run.refresh_from_db()
    return run.rings, run.rung_at is not None


class TestStamping:
    def test_counts_the_message_and_notes_when_it_is_sent(self, session: Connection) -> None:
        (run,) = waiting()

        assert stamp(session) == [
            StampedRun(id=run.pk, attempt=1, ring=1, executor="celery:scrape", rung_at=NOW),
        ]
        run.refresh_from_db()
        assert (run.rings, run.rung_at, run.state, run.node) == (1, NOW, RunState.QUEUED, None)

    def test_rings_the_highest_priority_first_and_then_the_oldest(self, session: Connection) -> None:
        old, young = waiting(2)
        (urgent,) = waiting(priority=5)

        assert [run.id for run in stamp(session)] == [urgent.pk, old.pk, young.pk]

    def test_leaves_what_is_not_due_held_ended_or_a_nodes(self, session: Connection) -> None:
        waiting(due_at=NOW + timedelta(seconds=1))
        waiting(held=True)
        waiting(state=RunState.CANCELLED)
        waiting(node=add_node(), state=RunState.RUNNING)
        waiting(expires_at=NOW)
        waiting(executor="default")
        waiting(executor="tasks:other")

        assert stamp(session) == []

    def test_finds_every_queue_of_the_broker(self, session: Connection) -> None:
        tracks = ["celery:mail", "celery:scrape", "celery:scrape@default", "celery:scrape@bulk"]
        expected = {run.pk for executor in tracks for run in waiting(2, executor=executor)}

        assert {run.id for run in stamp(session)} == expected

    def test_of_one_target_leaves_the_others_of_its_kind(self, session: Connection) -> None:
        (run,) = waiting(executor="tasks:other")
        waiting(executor="tasks:third")
        waiting(executor="tasks:others")

        assert [found.id for found in stamp(session, broker="tasks:other")] == [run.pk]

    def test_goes_no_further_than_the_room_of_each_queue(self, session: Connection) -> None:
        waiting(5)
        waiting(2, executor="celery:mail")

        first = stamp(session, most_inflight=3)
        second = stamp(session, most_inflight=3)

        assert sorted(run.executor for run in first) == ["celery:mail"] * 2 + ["celery:scrape"] * 3
        assert second == []

    def test_counts_the_tracks_of_one_queue_together(self, session: Connection) -> None:
        waiting(3)
        waiting(3, executor="celery:scrape@bulk")

        assert len(stamp(session, most_inflight=4)) == 4

    def test_has_room_again_when_a_run_begins(self, session: Connection) -> None:
        waiting(2)
        (first,) = stamp(session, most_inflight=1)
        assert stamp(session, most_inflight=1) == []

        take_rung(session, node=add_node(kind="celery", beat_at=NOW), run=first.id, attempt=1)

        assert len(stamp(session, most_inflight=1)) == 1

    def test_passes_a_locked_run_by(self, session: Connection) -> None:
        locked, free = waiting(2)
        other = Connection(purpose="test")
        with other.transaction() as elsewhere:
            elsewhere.execute("lock_runs", runs=f"{{{locked.pk}}}")
            assert [run.id for run in stamp(session)] == [free.pk]
        other.close()

    def test_is_left_to_one_node_at_a_time(self, session: Connection) -> None:
        waiting()
        other = Connection(purpose="test")
        with other.transaction() as elsewhere:
            elsewhere.execute("try_lock", lock=rings._lock("celery"))
            assert (
                rings.stamp(
                    session, broker="celery", limit=1, most_inflight=1, again_seconds=AGAIN, longest_seconds=LONGEST
                )
                is None
            )
            assert stamp(session, broker="tasks:other") == []
        other.close()


class TestAPausedQueue:
    def test_is_not_rung(self, session: Connection) -> None:
        (run,) = waiting(executor="celery:scrape@bulk", queue="bulk")
        (other,) = waiting()
        queue = Queue.objects.create(name="bulk", paused_at=NOW)

        assert [found.id for found in stamp(session)] == [other.pk]
        assert next_ring(session).seconds == pytest.approx(AGAIN)
        queue.delete()
        assert [found.id for found in stamp(session)] == [run.pk]

    def test_is_rung_when_its_pause_ends(self, session: Connection) -> None:
        waiting(executor="celery:scrape@bulk", queue="bulk")
        Queue.objects.create(name="bulk", paused_at=NOW, paused_until=NOW + timedelta(seconds=7))

        assert stamp(session) == []
        assert next_ring(session).seconds == pytest.approx(7)


class TestARunThatStillWaits:
    def test_is_rung_again_after_a_time_that_doubles(self, session: Connection) -> None:
        (run,) = waiting()
        at = NOW
        stamp(session)
        for number, seconds in enumerate([30, 60, 120, 240, 480, 600, 600], start=2):
            early, late = at + timedelta(seconds=seconds - 1), at + timedelta(seconds=seconds)
            assert stamp(session, now=early) == []
            assert next_ring(session, now=early).seconds == pytest.approx(1)
            assert [found.ring for found in stamp(session, now=late)] == [number]
            at = late
        assert stamped(run) == (8, True)

    def test_does_not_take_room_of_others_when_it_is_rung_again(self, session: Connection) -> None:
        first, second = waiting(2)
        stamp(session, most_inflight=1)

        again = stamp(session, most_inflight=1, now=NOW + timedelta(seconds=AGAIN))

        assert [run.id for run in again] == [first.pk]
        assert stamped(second) == (0, False)

    def test_keeps_its_number_below_what_the_column_holds(self, session: Connection) -> None:
        (run,) = waiting(rings=32_767, rung_at=NOW - timedelta(days=1))

        assert [found.ring for found in stamp(session)] == [32_767]
        assert stamped(run) == (32_767, True)


def lost(number: int, *, seconds: float = AGAIN, **changes: Any) -> list[Run]:
    """Write runs whose messages were sent for the fifth time so long ago, a tenth of a second apart."""
    sent = NOW - timedelta(seconds=seconds)
    return [
        waiting(rings=5, rung_at=sent - timedelta(milliseconds=100 * place), **changes)[0]
        for place in reversed(range(number))
    ]


def serving(**changes: Any) -> str:
    """Write a worker with four places for the queue."""
    return add_node(**{"beat_at": NOW, "kind": "celery", "executors": {"celery": 4}, "queues": ["scrape"], **changes})


class TestARunWhoseMessageIsLost:
    def test_is_rung_again_soon_while_a_worker_has_a_place_for_it(self, session: Connection) -> None:
        (run,) = lost(1, seconds=AGAIN - 1)
        serving()

        assert stamp(session) == []
        assert next_ring(session).seconds == pytest.approx(1)
        assert [found.id for found in stamp(session, now=NOW + timedelta(seconds=1))] == [run.pk]

    @pytest.mark.parametrize(
        "changes",
        [
            {"state": NodeState.LOST},
            {"state": NodeState.STOPPING},
            {"drained_at": NOW},
            {"queues": ["another"]},
            {"kind": "tasks"},
        ],
        ids=["lost", "stopping", "drained", "of another queue", "of another kind"],
    )
    def test_waits_longer_without_a_worker_that_could_take_it(
        self, session: Connection, changes: dict[str, Any]
    ) -> None:
        lost(1)
        serving(**changes)

        assert stamp(session) == []
        found = next_ring(session)
        assert (found.seconds, found.is_full) == (pytest.approx(15 * AGAIN), False)

    def test_waits_longer_while_all_places_are_taken(self, session: Connection) -> None:
        lost(1)
        waiting(4, node=serving(), state=RunState.RUNNING)

        assert stamp(session) == []

    def test_is_rung_with_as_many_others_as_there_are_places(self, session: Connection) -> None:
        runs = lost(10)
        node = serving()

        assert {run.id for run in stamp(session)} == {run.pk for run in runs[:4]}
        assert stamp(session) == []  # the worker has not answered these
        assert next_ring(session).is_full
        for run in runs[:2]:
            take_rung(session, node=node, run=run.pk)
        Run.objects.filter(node=node).update(state=RunState.SUCCEEDED, finished_at=NOW)

        assert [run.id for run in stamp(session)] == [run.pk for run in runs[4:6]]

    def test_lets_newer_messages_be_answered_first(self, session: Connection) -> None:
        runs = lost(5)
        waiting(3, rings=1, rung_at=NOW - timedelta(seconds=1))
        serving()

        assert [run.id for run in stamp(session)] == [runs[0].pk]

    def test_takes_no_turn_while_its_queue_is_paused(self, session: Connection) -> None:
        lost(5, seconds=AGAIN + 10, executor="celery:scrape@bulk", queue="bulk")
        Queue.objects.create(name="bulk", paused_at=NOW)
        (run,) = lost(1)
        serving()

        assert [found.id for found in stamp(session)] == [run.pk]
        assert not next_ring(session).is_full

    @pytest.mark.parametrize("seed", range(5))
    def test_is_rung_exactly_when_the_ringer_expects_it(self, session: Connection, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - the same messages for the same seed
        for _ in range(12):
            waiting(rings=chance.randint(1, 6), rung_at=NOW - timedelta(seconds=chance.uniform(0, 60)))
        serving(executors={"celery": chance.randint(1, 14)})
        at = NOW
        stamp(session, now=at)
        for _ in range(15):
            following = at + timedelta(seconds=next_ring(session, now=at).seconds)
            assert stamp(session, now=following - timedelta(milliseconds=1)) == []
            assert stamp(session, now=following + timedelta(milliseconds=1)) != []
            at = following + timedelta(milliseconds=1)


class TestTakingStampsBack:
    def test_makes_the_runs_wait_as_before(self, session: Connection) -> None:
        (run,) = waiting()

        assert rings.unstamp(session, runs=stamp(session)) == 1
        assert stamped(run) == (0, False)
        assert [found.ring for found in stamp(session)] == [1]

    def test_leaves_what_began_was_cancelled_or_rung_again_meanwhile(self, session: Connection) -> None:
        begun, cancelled, rung = waiting(3)
        found = stamp(session)
        take_rung(session, node=add_node(kind="celery", beat_at=NOW), run=begun.pk, attempt=1)
        runs.cancel(run=cancelled.pk)
        Run.objects.filter(pk=rung.pk).update(rings=F("rings") + 1)

        assert rings.unstamp(session, runs=found) == 0
        assert [stamped(run)[0] for run in (begun, cancelled, rung)] == [1, 1, 2]


class TestTheNextRing:
    def test_is_far_away_when_nothing_waits(self, session: Connection) -> None:
        found = next_ring(session)

        assert found.seconds > 1e9
        assert not found.is_full

    def test_is_when_the_next_run_is_due(self, session: Connection) -> None:
        waiting(due_at=NOW + timedelta(seconds=3))

        assert next_ring(session).seconds == pytest.approx(3)

    def test_tells_that_a_queue_is_full(self, session: Connection) -> None:
        waiting(2)
        stamp(session, most_inflight=1)

        found = next_ring(session, most_inflight=1)
        assert (found.is_full, found.seconds) == (True, pytest.approx(AGAIN))
        assert not next_ring(session, most_inflight=2).is_full


class TestANode:
    def test_rings_for_what_it_claims_and_runs_none_of_it(self, start: Start, broker: Broker) -> None:
        job = jobs.create(id="remote", task=TASK, trigger={"type": "interval", "seconds": 1}, executor="celery:scrape")
        node = start()

        work(node, until=lambda: broker.messages)

        run = Run.objects.filter(job=job).earliest("id")
        target, ring = broker.messages[0]
        assert (target, ring) == ("scrape", (run.pk, 1, 1))
        assert (run.state, run.node) == (RunState.QUEUED, None)

    def test_rings_for_runs_that_somebody_else_queued(self, start: Start, broker: Broker) -> None:
        node = start(ring_again_seconds=3600.0)
        work(node, until=lambda: node.loop.found_nothing)
        run = jobs.run_now(job=jobs.create(task=TASK, trigger=SOON, executor="celery:scrape"))

        work(node, until=lambda: broker.runs() == [run.pk])

    def test_has_no_ringer_without_a_remote_executor(self, start: Start) -> None:
        node = start()
        run = jobs.run_now(job=jobs.create(task=TASK, trigger=SOON))

        work(node, until=lambda: Run.objects.get(pk=run.pk).state == RunState.SUCCEEDED)

        assert node.ringers._ringers == {}

    def test_works_on_while_a_broker_hangs(self, start: Start, broker: Broker) -> None:
        waiting()
        broker.hangs.clear()
        node = start()
        work(node, until=lambda: broker.calls)

        run = jobs.run_now(job=jobs.create(task=TASK, trigger=SOON))
        work(node, until=lambda: Run.objects.get(pk=run.pk).state == RunState.SUCCEEDED)

        assert (broker.calls, broker.messages) == (1, [])  # it hangs still


class TestABrokerThatIsAway:
    @pytest.fixture
    def ringers(self) -> Iterator[Ringers]:
        ringers = Ringers(settings=dataclasses.replace(conf.get(), ring_again_seconds=3600.0))
        yield ringers
        ringers.stop()

    def test_costs_no_run_its_turn_and_is_told_of_all_when_it_is_back(self, ringers: Ringers, broker: Broker) -> None:
        expected = {run.pk for run in waiting(700)}
        broker.is_away = True
        ringers.wake(["celery"])
        wait_until(lambda: broker.calls >= 2)
        # It is tried again meanwhile, and stamps are taken back again.
        wait_until(lambda: not Run.objects.filter(Q(rung_at__isnull=False) | Q(rings__gt=0)).exists())

        broker.is_away = False

        wait_until(lambda: set(broker.runs()) == expected)
        assert len(broker.messages) == len(expected)
        assert Run.objects.filter(rings=1).count() == len(expected)

    def test_is_tried_rarely_and_with_few_messages(self, ringers: Ringers, broker: Broker) -> None:
        waiting(100)
        broker.is_away = True
        began = time.monotonic()
        ringers.wake(["celery"])
        wait_until(lambda: broker.calls >= 1)
        for _ in range(50):
            ringers.wake(["celery"])
            time.sleep(0.01)

        assert broker.calls <= 1 + (time.monotonic() - began)  # it rests for a second, then for two

    def test_is_named_with_its_error_and_without_its_password(self, ringers: Ringers, broker: Broker) -> None:
        waiting()
        broker.is_away = True
        ringers.wake(["celery"])
        found = wait_until(ringers.refusing)

        assert found["celery"]["error"] == "redis://broker:6379 does not answer."
        broker.is_away = False
        wait_until(lambda: not ringers.refusing())

    def test_does_not_hold_up_another_one(self, ringers: Ringers, broker: Broker) -> None:
        waiting()
        (other,) = waiting(executor="tasks:other")
        broker.is_away = True
        ringers.wake(["celery"])
        wait_until(ringers.refusing)
        with bells.broker("tasks") as second:
            ringers.wake(["tasks:other"])
            wait_until(lambda: second.runs() == [other.pk])

    def test_fails_the_health_and_is_well_again(self, start: Start, broker: Broker) -> None:
        waiting()
        broker.is_away = True
        node = start()
        work(node, until=node.ringers.refusing)
        reporter = Reporter(node=node, settings=node._settings)
        reporter.do()

        (check,) = [check for check in health.judged().checks if check.name == "brokers"]
        assert check.status == "warn"
        assert "The broker “celery” refuses messages" in check.text
        NodeMeasure.objects.update(brokers={"celery": {"error": "away", "since": "2026-01-01T00:00:00+00:00"}})
        (check,) = [check for check in health.judged().checks if check.name == "brokers"]
        assert check.status == "fail"

        broker.is_away = False
        work(node, until=lambda: not node.ringers.refusing())
        reporter.do()
        reporter.close()
        (check,) = [check for check in health.judged().checks if check.name == "brokers"]
        assert check.status == "pass"


class TestABrokerThatForgets:
    def test_loses_no_run(self, session: Connection, broker: Broker) -> None:
        expected = {run.pk for run in waiting(12)}
        worker = add_node(kind="celery", beat_at=timezone.now())
        broker.forgets = True
        ringers = Ringers(settings=dataclasses.replace(conf.get(), max_inflight=5, ring_again_seconds=0.2))
        ringers.wake(["celery"])
        wait_until(lambda: broker.calls >= 3)
        assert Run.objects.filter(rung_at__isnull=False).count() == 5

        broker.forgets = False

        def all_begun() -> bool:
            for run_id in broker.runs():
                take_rung(session, node=worker, run=run_id, attempt=1)
            ringers.wake()
            return Run.objects.filter(state=RunState.RUNNING).count() == len(expected)

        wait_until(all_begun)
        ringers.stop()


class TestANodeOfTheReleaseBefore:
    """It has no executor of such a name, and its statements are those of today."""

    def test_leaves_runs_of_remote_executors_alone(self, session: Connection) -> None:
        bare, tracked = waiting()[0], waiting(executor="celery:scrape@mail", queue="mail")[0]
        pools = {"default": 5, "processpool": 2}

        for executor in (*pools, "default@default", "default@mail", "processpool@mail"):
            assert ledger.take(session, node=add_node(), executor=executor, tasks={TASK}, limit=10) == ()
        assert ledger.next_due(session, tasks={TASK}, executors=list(pools)).run is None
        add_job(id="due", due_at=NOW, task=TASK, executor="celery:scrape")
        claimed = claims.claim_due(
            session, node=add_node(), tasks={TASK}, limit=10, room=pools, catch_up_limit=10, now=NOW
        )

        assert (claimed.jobs, claimed.owned) == (1, ())
        assert Run.objects.filter(pk__in=[bare.pk, tracked.pk], node=None, state=RunState.QUEUED).count() == 2
        assert Run.objects.get(job="due").node is None


class TestCancelling:
    def test_a_queued_run_ends_it_whatever_its_broker_was_told(self, session: Connection) -> None:
        (run,) = waiting()
        (found,) = stamp(session)

        runs.cancel(run=run.pk, actor="ada")

        run.refresh_from_db()
        assert run.state == RunState.CANCELLED
        assert take_rung(session, node=add_node(kind="celery", beat_at=NOW), run=found.id, attempt=1) is None
        assert stamp(session, now=NOW + timedelta(hours=1)) == []

    def test_many_queued_runs_ends_them_all(self, session: Connection) -> None:
        several = waiting(3)
        stamp(session, limit=2)

        assert runs.cancel_queued(ids=[run.pk for run in several]) == 3
        assert next_ring(session).seconds > 1e9


class TestAnAttemptAfterAnother:
    def test_is_rung_by_itself(self, session: Connection, broker: Broker) -> None:
        job = jobs.create(id="again", task=TASK, trigger=SOON, executor="celery:scrape", max_retries=1, retry_delay=0)
        failed = jobs.run_now(job=job)
        (first,) = stamp(session, now=None)
        node = add_node(kind="celery", beat_at=timezone.now())
        take_rung(session, node=node, run=failed.pk, attempt=1)
        ended = Outcome(run_id=failed.pk, state=RunState.FAILED, started=1, finished=2, error="ValueError: no")
        finishing.finish(session, outcomes=[ended], node=node, clock=3)
        HeldRuns().release(session)

        (second,) = stamp(session, now=None)

        assert (second.attempt, second.ring) == (2, 1)
        assert second.id != first.id


class TestAnExecutorThatIsMissingHere:
    def test_stamps_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(executors, "_is_installed", lambda _module: False)
        (run,) = waiting()
        ringers = Ringers(settings=conf.get())
        ringers.wake(["celery"])
        found = wait_until(ringers.refusing)
        ringers.stop()

        assert "openlearn-scheduler[celery]" in found["celery"]["error"]
        assert stamped(run) == (0, False)


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestAQueueThatNobodyServes:
    def test_is_a_failure_of_the_health(self) -> None:
        add_node(beat_at=timezone.now(), executors={"default": 5})
        waiting(2, rings=1, rung_at=NOW)

        (check,) = [check for check in health.judged().checks if check.name == "queue"]

        assert check.status == "fail"
        assert "no live worker serves it" in check.text

    def test_is_served_by_a_worker_of_that_queue(self) -> None:
        add_node(beat_at=timezone.now(), executors={"default": 5})
        add_node(beat_at=timezone.now(), kind="celery", executors={"celery": 4}, queues=["scrape"])
        waiting(2, rings=1, rung_at=NOW)

        (check,) = [check for check in health.judged().checks if check.name == "queue"]

        assert "0 of 4 workers are busy" in check.text

    def test_is_not_a_node_that_plans_jobs(self) -> None:
        add_node(beat_at=timezone.now(), kind="celery", executors={"celery": 4}, queues=["scrape"])

        (check,) = [check for check in health.judged().checks if check.name == "nodes"]

        assert check.status != "pass"
        assert NodeRow.objects.count() == 1


class TestTheIndexes:
    def test_hold_runs_of_remote_executors_alone(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
                " WHERE indexrelid = 'scheduler_run_to_ring'::regclass"
            )
            ((predicate,),) = cursor.fetchall()
        assert "strpos" in predicate
