"""The start gate of workers: whatever a message says, the ledger decides."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from scheduler.core import reasons
from scheduler.core.states import NodeState, RunState
from scheduler.models import Node, Queue, Run
from scheduler.remote import taking
from scheduler.remote.executors import Ring
from scheduler.store.claiming import limits
from scheduler.store.liveness import nodes
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_node, add_run, take_rung

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "sample.nothing"
PAST = timezone.now() - timedelta(minutes=1)


def waiting(**changes: Any) -> Run:
    """Write a run that was rung and waits for a worker."""
    job = add_job(id=changes.pop("id", "job"), due_at=None, task=changes.pop("task", TASK))
    return add_run(job, scheduled_at=PAST, **{"executor": "celery:scrape", "rings": 1, "rung_at": PAST, **changes})


def worker(**changes: Any) -> str:
    return add_node(**{"beat_at": timezone.now(), "kind": "celery", "name": "worker", **changes})


def take(session: Connection, run: Run, *, node: str, **changes: Any) -> OwnedRun | None:
    return take_rung(session, **{"node": node, "run": run.pk, "attempt": run.attempt, **changes})


class TestARing:
    def test_makes_the_run_running_and_this_workers_own(self, session: Connection) -> None:
        run, node = waiting(kwargs={"a": 1}), worker()

        taken = take(session, run, node=node)

        run.refresh_from_db()
        assert taken is not None
        assert (taken.id, taken.kwargs, taken.executor) == (run.pk, '{"a": 1}', "celery:scrape")
        assert (run.state, str(run.node), run.started_at is None) == (RunState.RUNNING, node, False)

    def test_of_a_track_with_a_queue_is_answered_with_the_executor(self, session: Connection) -> None:
        run = waiting(executor="celery:scrape@mail", queue="mail")

        taken = take(session, run, node=worker())

        assert taken is not None
        assert taken.executor == "celery:scrape"

    def test_is_dropped_by_the_second_of_two_workers(self, session: Connection) -> None:
        run, first, second = waiting(), worker(), worker()

        assert take(session, run, node=first) is not None
        assert take(session, run, node=second) is None
        assert take(session, run, node=first) is None
        run.refresh_from_db()
        assert str(run.node) == first

    def test_starts_one_body_when_many_workers_ask_at_once(self) -> None:
        run, taken = waiting(), []
        asked = [worker() for _ in range(6)]
        together = threading.Barrier(len(asked))

        def ask(node: str) -> None:
            session = Connection(purpose="test")
            together.wait()
            taken.append(take(session, run, node=node))
            session.close()

        threads = [threading.Thread(target=ask, args=(node,)) for node in asked]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len([each for each in taken if each is not None]) == 1

    @pytest.mark.parametrize(
        "state", [RunState.CANCELLED, RunState.SUCCEEDED, RunState.MISSED, RunState.INTERRUPTED], ids=str
    )
    def test_is_dropped_when_the_run_has_ended(self, session: Connection, state: RunState) -> None:
        assert take(session, waiting(state=state), node=worker()) is None

    def test_is_dropped_when_it_is_of_another_attempt(self, session: Connection) -> None:
        run = waiting()

        assert take(session, run, node=worker(), attempt=2) is None
        run.refresh_from_db()
        assert run.state == RunState.QUEUED

    def test_is_dropped_when_the_run_does_not_exist(self, session: Connection) -> None:
        assert take_rung(session, node=worker(), run=2**40, attempt=1) is None

    @pytest.mark.parametrize(
        "changes",
        [{"held": True}, {"due_at": timezone.now() + timedelta(days=1)}, {"expires_at": PAST}],
        ids=["held", "not due", "expired"],
    )
    def test_is_dropped_when_the_run_may_not_begin(self, session: Connection, changes: dict[str, Any]) -> None:
        assert take(session, waiting(**changes), node=worker()) is None

    @pytest.mark.parametrize("executor", ["default", "tasks:other", "default@celery"])
    def test_is_dropped_when_the_run_is_not_for_workers_of_this_kind(self, session: Connection, executor: str) -> None:
        run = waiting(executor=executor)

        assert take(session, run, node=worker()) is None
        run.refresh_from_db()
        assert (run.state, run.node) == (RunState.QUEUED, None)

    def test_frees_a_key_that_is_taken_while_the_run_waits(self, session: Connection) -> None:
        run = waiting(unique_key="key", policies={"unique_while": "queued"})

        take(session, run, node=worker())

        run.refresh_from_db()
        assert run.unique_key is None


def ring_of(run: Run) -> Ring:
    return Ring(run=run.pk, attempt=run.attempt, ring=1)


class TestSeveralRings:
    def test_are_answered_together_each_by_itself(self, session: Connection) -> None:
        begun = [waiting(id=f"job{number}") for number in range(3)]
        ended = waiting(id="ended", state=RunState.SUCCEEDED)
        strange = waiting(id="strange", task="tests.of_another_release")
        rings = list(map(ring_of, (begun[2], ended, begun[0], strange, begun[1])))

        taken = list(taking.take(session, node=worker(name="old"), rings=[*rings, rings[0]]))

        assert sorted(run.id for run in taken) == [run.pk for run in begun]
        strange.refresh_from_db()
        assert strange.reason == reasons.WORKER_LACKS_TASK(worker="old", task="tests.of_another_release")

    def test_begin_once_when_workers_ask_in_any_order(self) -> None:
        runs = [waiting(id=f"job{number}") for number in range(30)]
        rings, taken, together = list(map(ring_of, runs)), [], threading.Barrier(4)
        orders = [(worker(), rings[place * 7 :] + rings[: place * 7]) for place in range(4)]

        def ask(node: str, several: list[Ring]) -> None:
            session = Connection(purpose="test")
            together.wait()
            taken.extend((run.id, node) for run in taking.take(session, node=node, rings=several))
            session.close()

        threads = [threading.Thread(target=ask, args=each) for each in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(run for run, _ in taken) == [run.pk for run in runs]
        assert set(taken) == {(run.pk, str(run.node)) for run in Run.objects.all()}

    def test_do_not_wait_for_one_whose_row_is_locked_for_long(self, session: Connection, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "LOCK_TIMEOUT_SECONDS": 0.1}
        runs, node = [waiting(id=f"job{number}") for number in range(3)], worker()
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=runs[1].pk)

            taken = list(taking.take(session, node=node, rings=list(map(ring_of, runs))))

        assert [run.id for run in taken] == [runs[0].pk, runs[2].pk]

    def test_are_stale_when_their_attempts_wait_no_longer(self, session: Connection) -> None:
        runs = [waiting(id=f"job{number}") for number in range(3)]
        take(session, runs[0], node=worker())
        earlier = ring_of(runs[1])._replace(attempt=2)

        found = taking.stale(session, rings=[ring_of(runs[0]), earlier, ring_of(runs[2])])

        assert found == {ring_of(runs[0]), earlier}

    def test_are_given_back_together(self, session: Connection) -> None:
        runs = [waiting(id=f"job{number}") for number in range(3)]

        taking.give_back(session, node=worker(), rings=list(map(ring_of, runs)))

        assert not Run.objects.filter(rung_at__isnull=False).exists()


class TestAWorker:
    @pytest.mark.parametrize("state", [NodeState.LOST, NodeState.STOPPING, NodeState.STOPPED], ids=str)
    def test_that_is_not_running_begins_nothing(self, session: Connection, state: NodeState) -> None:
        run = waiting()

        assert take(session, run, node=worker(state=state)) is None
        run.refresh_from_db()
        assert run.rung_at == PAST  # it is rung again later, not over and over again

    def test_that_is_a_node_begins_nothing(self, session: Connection) -> None:
        assert take(session, waiting(), node=worker(kind="node")) is None

    def test_that_is_reaped_loses_its_run_to_another_attempt_only(self, session: Connection) -> None:
        run, node = waiting(), worker()
        take(session, run, node=node)
        Node.objects.filter(pk=node).update(heartbeat_at=PAST)

        nodes.reap(session, reaper=worker(), reap_after_seconds=30, max_recoveries=3)

        run.refresh_from_db()
        assert run.state == RunState.INTERRUPTED
        assert take(session, run, node=worker()) is None

    def test_without_the_task_gives_the_run_back_with_a_reason(self, session: Connection) -> None:
        run = waiting(task="tests.of_another_release")

        assert take(session, run, node=worker(name="old")) is None

        run.refresh_from_db()
        assert (run.state, run.node, run.rung_at) == (RunState.QUEUED, None, PAST)
        assert run.reason == reasons.WORKER_LACKS_TASK(worker="old", task="tests.of_another_release")

    def test_with_the_task_takes_that_reason_away(self, session: Connection) -> None:
        reason = reasons.columns(reasons.WORKER_LACKS_TASK(worker="old", task=TASK))
        run = waiting(**reason)

        assert take(session, run, node=worker()) is not None

        run.refresh_from_db()
        assert (run.reason, run.reason_params) == ("", None)

    def test_that_stops_lets_another_one_have_it_at_once(self, session: Connection) -> None:
        run = waiting()

        taking.give_back(session, node=worker(), rings=[Ring(run=run.pk, attempt=1, ring=1)])

        run.refresh_from_db()
        assert run.rung_at is None

    def test_gives_nothing_back_that_has_begun(self, session: Connection) -> None:
        run, node = waiting(), worker()
        take(session, run, node=node)

        taking.give_back(session, node=node, rings=[Ring(run=run.pk, attempt=1, ring=1)])

        run.refresh_from_db()
        assert (run.state, str(run.node), run.rung_at) == (RunState.RUNNING, node, PAST)


class TestAPausedQueue:
    def test_keeps_its_runs_until_it_goes_on(self, session: Connection) -> None:
        run, node = waiting(), worker()
        queue = Queue.objects.create(name="default", paused_at=timezone.now())

        assert take(session, run, node=node) is None
        run.refresh_from_db()
        assert run.rung_at is None  # it is rung as soon as the queue goes on

        queue.delete()
        assert take(session, run, node=node) is not None


class TestARowThatMakesTheStatementFail:
    def test_fails_by_itself(self, session: Connection) -> None:
        run = waiting()
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN IF NEW.state = 'running' THEN RAISE 'odd'; END IF; RETURN NEW; END $$;"
                "CREATE TRIGGER refuse BEFORE UPDATE ON scheduler_run FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        try:
            assert take(session, run, node=worker()) is None
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP TRIGGER refuse ON scheduler_run; DROP FUNCTION refuse()")

        run.refresh_from_db()
        assert run.state == RunState.FAILED
        assert "odd" in str(run.error)

    def test_leaves_the_others_of_its_batch_alone(self, session: Connection) -> None:
        odd, sound = waiting(id="odd", priority=7), waiting(id="sound")
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN IF NEW.state = 'running' AND NEW.priority = 7 THEN RAISE 'odd'; END IF; RETURN NEW; END $$;"
                "CREATE TRIGGER refuse BEFORE UPDATE ON scheduler_run FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
        try:
            taken = list(taking.take(session, node=worker(), rings=[ring_of(odd), ring_of(sound)]))
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP TRIGGER refuse ON scheduler_run; DROP FUNCTION refuse()")

        assert [run.id for run in taken] == [sound.pk]
        assert Run.objects.get(pk=odd.pk).state == RunState.FAILED

    def test_that_is_locked_for_long_is_left_alone(self, session: Connection, settings: Any) -> None:
        settings.SCHEDULER = {**settings.SCHEDULER, "LOCK_TIMEOUT_SECONDS": 0.1}
        run = waiting()
        with transaction.atomic():
            Run.objects.select_for_update().get(pk=run.pk)

            assert take(session, run, node=worker()) is None

        run.refresh_from_db()
        assert run.state == RunState.QUEUED


class TestALimitedTask:
    def test_begins_while_its_limit_has_room_and_is_rung_again_afterwards(self, session: Connection) -> None:
        runs = [waiting(id=f"job{number}", task="sample.crowded", kwargs={"host": "a"}) for number in range(3)]
        node = worker()

        taken = [take(session, run, node=node) for run in runs]

        assert [each is not None for each in taken] == [True, True, False]
        last = Run.objects.get(pk=runs[-1].pk)
        assert (last.state, last.node, last.rung_at) == (RunState.QUEUED, None, None)
        assert last.reason_code == "waits_for_limit"
        assert Run.objects.filter(state=RunState.RUNNING, node=node).count() == 2

        Run.objects.filter(pk=runs[0].pk).update(state=RunState.SUCCEEDED, finished_at=timezone.now())
        limits.grant_waiting(session)

        assert take(session, last, node=node) is not None

    def test_waits_for_a_node_that_decides_just_now(self, session: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(taking, "_DECIDING_SECONDS", 3600.0)
        run, node = waiting(task="sample.crowded", kwargs={"host": "a"}), worker()
        other = Connection(purpose="test")
        with other.transaction() as deciding:
            deciding.execute("try_lock", lock=limits.LOCK)
            asking = threading.Thread(target=lambda: taken.append(take(session, run, node=node)))
            taken: list[OwnedRun | None] = []
            asking.start()
            asking.join(0.3)
            assert not taken
        asking.join(120)
        other.close()

        assert taken[0] is not None
