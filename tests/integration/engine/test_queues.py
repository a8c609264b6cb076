"""Enqueued runs in their queues: which node takes which, in which turn, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scheduler.core.states import RunState
from scheduler.engine.duties.take import Take
from scheduler.engine.node import Node
from scheduler.models import Job, Queue, Run
from scheduler.services import jobs, queues, retention, runs
from scheduler.services.runs import enqueueing
from scheduler.services.runs.enqueueing import Call
from scheduler.store.liveness import nodes
from scheduler.store.recording import runs as stored_runs
from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.notifications import Channel, Hint
from scheduler.telemetry import metrics
from tests.hearing import hearing
from tests.ledger import add_node
from tests.nodes import make_node, work
from tests.sample_app import django_tasks as sample
from tests.waiting import is_a_lock_awaited, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

NOTHING = "sample.nothing"
SOON = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}


@contextmanager
def working(**changes: Any) -> Iterator[Node]:
    node = make_node(**changes)
    try:
        yield node
    finally:
        node.stop(grace_seconds=0.1)


def enqueue(number: int, **changes: Any) -> list[str]:
    """Enqueue calls that do nothing, and return their result ids."""
    calls = [Call(**{"task": NOTHING, **changes}) for _ in range(number)]
    return [str(answer.public_id) for answer in enqueueing.enqueue_many(calls=calls)]


def are_over(*ids: str) -> Callable[[], bool]:
    return lambda: not Run.objects.filter(public_id__in=ids, finished_at=None).exists()


def shown(metric: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by those of its labels."""
    families = metrics.Collector(metrics.read()).collect()
    samples = [each for family in families for each in family.samples if each.name == metric]
    return {tuple(each.labels.values()): each.value for each in samples}


class TestTheDepth:
    @pytest.fixture
    def since(self) -> datetime:
        """In the queue mail 2 runs wait, 3 wait for later, and 1 runs; in the queue default 1 waits."""
        now = timezone.now()
        for queue, minutes, priority in (("mail", 30, 50), ("mail", 90, -50), ("default", 10, 0)):
            call = Call(task=NOTHING, queue=queue, priority=priority)
            enqueueing.enqueue_many(calls=[call], now=now - timedelta(minutes=minutes))
        later = now + timedelta(days=1)
        for queue, number in (("mail", 3), ("night", 1)):
            enqueueing.enqueue_many(calls=[Call(task=NOTHING, queue=queue, run_after=later)] * number, now=now)
        begun = Run.objects.filter(public_id__in=enqueue(1, queue="mail"))
        begun.update(node=add_node(), state=RunState.RUNNING, started_at=now)
        return now

    @staticmethod
    def is_so_long(found: float | None, *, minutes: int, since: datetime) -> bool:
        """Whether an age is one that was right between then and now."""
        passed = (timezone.now() - since).total_seconds()
        return found is not None and minutes * 60 - 0.001 <= found <= minutes * 60 + passed + 0.001

    def test_is_a_metric_of_each_queue(self, since: datetime) -> None:
        numbers = shown("scheduler_queue_runs")
        ages = shown("scheduler_queue_waiting_seconds")

        assert numbers == {
            **{("default", state): number for state, number in (("queued", 1), ("deferred", 0), ("running", 0))},
            **{("mail", state): number for state, number in (("queued", 2), ("deferred", 3), ("running", 1))},
            **{("night", state): number for state, number in (("queued", 0), ("deferred", 1), ("running", 0))},
        }
        assert set(ages) == {("default",), ("mail",), ("night",)}
        assert self.is_so_long(ages["mail",], minutes=90, since=since)
        assert self.is_so_long(ages["default",], minutes=10, since=since)
        assert ages["night",] == 0

    def test_is_a_metric_of_each_executor(self, since: datetime) -> None:
        assert shown("scheduler_queue_depth")["default",] == 7
        assert self.is_so_long(shown("scheduler_queue_oldest_seconds")["default",], minutes=90, since=since)

    def test_shrinks_with_what_ends_and_grows_with_what_is_given_back(self, since: datetime) -> None:
        runs.cancel(run=Run.objects.get(queue="mail", priority=-50))
        assert self.is_so_long(shown("scheduler_queue_waiting_seconds")["mail",], minutes=30, since=since)

        Run.objects.filter(state=RunState.RUNNING).update(node=None, state=RunState.QUEUED, started_at=None)

        assert shown("scheduler_queue_runs")["mail", "running"] == 0
        assert shown("scheduler_queue_runs")["mail", "queued"] == 2

    def test_is_in_the_state_of_each_queue(self, since: datetime) -> None:
        states = {state.name: state for state in queues.states()}

        numbers = {name: (state.queued, state.deferred, state.running) for name, state in states.items()}
        assert numbers == {"default": (1, 0, 0), "mail": (5, 3, 1), "night": (1, 1, 0)}
        assert self.is_so_long(states["mail"].oldest_seconds, minutes=90, since=since)
        assert self.is_so_long(states["default"].oldest_seconds, minutes=10, since=since)
        assert states["night"].oldest_seconds is None


class TestTheThroughput:
    def test_counts_what_ran_in_each_queue_beside_whatever_waits(self) -> None:
        mail = [*enqueue(3, queue="mail"), *enqueue(1, queue="mail", task="sample.fail", kwargs={"message": "odd"})]
        runs.cancel(run=Run.objects.get(public_id=enqueue(1, queue="mail")[0]))
        others = enqueue(2)
        with working() as node:
            work(node, until=are_over(*mail, *others))
        later = timezone.now() + timedelta(days=1)
        enqueueing.enqueue_many(calls=[Call(task=NOTHING, queue="mail", run_after=later) for _ in range(50)])

        assert shown("scheduler_queue_ended_total") == {("default",): 2, ("mail",): 4}
        assert queues.ended_last_hour() == {"default": 2, "mail": 4}
        assert {state.name: state.finished_last_hour for state in queues.states()} == {"default": 2, "mail": 4}
        assert queues.ended_last_hour(now=later) == {}


class TestAFlood:
    def test_in_one_queue_does_not_starve_another(self) -> None:
        flood = enqueue(400, queue="bulk")
        mail = enqueue(5, queue="mail")
        with working(threads=1) as node:
            work(node, until=are_over(*flood, *mail))
        order = list(Run.objects.order_by("started_at", "pk").values_list("queue", flat=True))
        assert max(place for place, queue in enumerate(order) if queue == "mail") < 200

    def test_does_not_starve_scheduled_runs(self) -> None:
        flood = enqueue(400)
        run = jobs.run_now(job=jobs.create(task=NOTHING, trigger=SOON))
        with working(threads=1) as node:
            work(node, until=are_over(*flood))
        order = list(Run.objects.order_by("started_at", "pk").values_list("pk", flat=True))
        assert order.index(run.pk) < 200


@pytest.fixture
def heard() -> Iterator[Callable[[], set[Hint]]]:
    """What nodes heard since it was asked last."""
    with hearing() as heard:
        yield heard


class TestAHint:
    def test_names_the_tracks_of_the_runs_that_are_due(self, heard: Callable[[], set[Hint]]) -> None:
        calls = [Call(task=NOTHING, queue="mail"), Call(task=NOTHING, queue="mail"), Call(task=NOTHING)]
        enqueueing.enqueue_many(calls=calls)
        assert heard() == {Hint(Channel.RUNS, "default@mail"), Hint(Channel.RUNS, "default@default")}

    def test_names_none_for_runs_that_begin_later(self, heard: Callable[[], set[Hint]]) -> None:
        enqueue(2, run_after=timezone.now() + timedelta(hours=1))
        assert heard() == {Hint(Channel.RUNS)}

    def test_comes_with_the_commit(self, heard: Callable[[], set[Hint]]) -> None:
        with transaction.atomic():
            enqueue(1)
            assert heard() == set()
            transaction.set_rollback(True)
        assert heard() == set()

    @pytest.mark.parametrize("number", [1, 2])
    def test_comes_at_once_without_a_transaction(self, number: int, heard: Callable[[], set[Hint]]) -> None:
        enqueue(number)
        assert heard() == {Hint(Channel.RUNS, "default@default")}

    def test_comes_once_for_each_track_of_a_transaction(self, heard: Callable[[], set[Hint]]) -> None:
        with CaptureQueriesContext(connection) as executed:
            with transaction.atomic():
                for queue in ("default", "mail", "default"):
                    enqueue(1, queue=queue)
                assert heard() == set()
            assert heard() == {Hint(Channel.RUNS, "default@mail"), Hint(Channel.RUNS, "default@default")}
        assert sum("pg_notify" in query["sql"] for query in executed.captured_queries) == 2

    def test_is_not_sent_for_what_a_savepoint_took_back(self, heard: Callable[[], set[Hint]]) -> None:
        with transaction.atomic():
            with transaction.atomic():
                enqueue(1, queue="mail")
                transaction.set_rollback(True)
            enqueue(1)
        assert heard() == {Hint(Channel.RUNS, "default@default")}
        with transaction.atomic():
            enqueue(1, queue="mail")
        assert heard() == {Hint(Channel.RUNS, "default@mail")}

    def test_comes_with_the_commit_that_the_caller_writes_in_sql(self, heard: Callable[[], set[Hint]]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            enqueue(1)
            assert heard() == set()
            cursor.execute("ROLLBACK")
            assert not Run.objects.exists()
            cursor.execute("BEGIN")
            enqueue(1)
            cursor.execute("COMMIT")
        assert heard() == {Hint(Channel.RUNS, "default@default")}

    def test_comes_with_the_commit_of_a_connection_without_autocommit(self, heard: Callable[[], set[Hint]]) -> None:
        transaction.set_autocommit(False)
        try:
            enqueue(1)
            assert heard() == set()
            transaction.commit()
            assert heard() == {Hint(Channel.RUNS, "default@default")}
        finally:
            transaction.set_autocommit(True)

    def test_leads_to_a_run_without_a_look_ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def look(*_: object, **__: object) -> None:
            raise AssertionError("It looked ahead.")

        with working() as node:
            work(node, until=lambda: node.loop.found_nothing)
            (mail,) = enqueue(1, queue="mail")
            node.wakeups.heard()
            monkeypatch.setattr(stored_runs, "next_due", look)
            node.loop.hear({Hint(Channel.RUNS, "default@mail")})
            node.run_once()
            assert Run.objects.get(public_id=mail).state in (RunState.RUNNING, RunState.SUCCEEDED)

    @pytest.mark.parametrize("track", ["elsewhere", "elsewhere@mail", "default@other"])
    def test_of_another_track_is_passed_over(self, track: str) -> None:
        with working(queues=("mail",)) as node:
            work(node, until=lambda: node.loop.found_nothing)
            node.loop.hear({Hint(Channel.RUNS, track)})
            assert not node.loop.duty(Take).expects_more
            node.loop.hear({Hint(Channel.RUNS, "default@mail")})
            assert node.loop.duty(Take).expects_more


class TestANodeWithQueues:
    def test_takes_runs_of_these_alone(self) -> None:
        (mail,), (other,) = enqueue(1, queue="mail"), enqueue(1)
        with working(queues=("mail",)) as node:
            work(node, until=are_over(mail))
            work(node, until=lambda: node.loop.found_nothing)
        assert Run.objects.get(public_id=other).node is None

    def test_leaves_jobs_of_other_queues_to_others(self) -> None:
        job = jobs.create(id="report", task=NOTHING, trigger=SOON, queue="mail")
        run = jobs.run_now(job=job)
        assert (run.executor, run.queue, run.runs_on) == ("default@mail", "mail", "default")
        with working(queues=("default",)) as node:
            work(node, until=lambda: node.loop.found_nothing)
            assert Run.objects.get().state == RunState.QUEUED
        with working(queues=("mail", "bulk")) as node:
            work(node, until=lambda: Run.objects.get().state == RunState.SUCCEEDED)

    def test_plans_jobs_of_other_queues_for_others(self) -> None:
        job = jobs.create(id="report", task=NOTHING, trigger={"type": "interval", "hours": 1}, queue="mail")
        Job.objects.filter(pk=job.pk).update(misfire_grace_time=None)
        Job.objects.filter(pk=job.pk).update(next_run_time=timezone.now() - timedelta(seconds=1))
        with working(queues=("default",)) as node:
            work(node, until=lambda: Run.objects.exists())
            assert Run.objects.get().node is None
        assert (Run.objects.get().queue, Run.objects.get().executor) == ("mail", "default@mail")
        with working() as node:
            work(node, until=lambda: Run.objects.get().state == RunState.SUCCEEDED)

    def test_of_the_release_before_takes_none_of_them(self, session: Connection) -> None:
        enqueue(1)
        taken = stored_runs.take(session, node=str(uuid4()), executor="default", tasks=[NOTHING], limit=10)
        assert taken == ()


class TestAPausedQueue:
    def test_begins_no_run_until_it_is_resumed(self) -> None:
        queues.pause(name="default", actor="ada", reason="the server moves")
        (waiting,), (other,) = enqueue(1), enqueue(1, queue="mail")
        jobs.run_now(job=jobs.create(task=NOTHING, trigger=SOON))
        with working() as node:
            work(node, until=are_over(other))
            work(node, until=lambda: node.loop.found_nothing)
            assert Run.objects.filter(queue="default", state=RunState.QUEUED, node=None).count() == 2
            queues.resume(name="default")
            work(node, until=lambda: not Run.objects.active().exists())
        assert str(Run.objects.get(public_id=waiting).state) == RunState.SUCCEEDED

    def test_goes_on_when_its_pause_ends(self) -> None:
        queues.pause(name="mail", until=timezone.now() + timedelta(hours=1))
        Queue.objects.update(paused_until=timezone.now() + timedelta(seconds=1))
        (mail,) = enqueue(1, queue="mail")
        with working() as node:
            work(node, until=are_over(mail))
        run = Run.objects.get()
        assert run.started_at is not None
        assert run.started_at > Queue.objects.get().paused_until

    def test_says_so(self) -> None:
        queues.pause(name="mail", actor="ada", reason="moving")
        enqueue(2, queue="mail")
        enqueue(1, queue="mail", run_after=timezone.now() + timedelta(hours=1))
        state = queues.state(name="mail")
        assert (state.is_paused, state.paused_by, state.pause_reason) == (True, "ada", "moving")
        assert (state.queued, state.deferred, state.running) == (3, 1, 0)
        assert state.oldest_seconds is not None


class TestDeferredRuns:
    def test_of_a_higher_priority_hold_nothing_up(self) -> None:
        later = timezone.now() + timedelta(hours=1)
        enqueue(1500, priority=50, run_after=later)
        (low,) = enqueue(1, priority=-50)
        with working() as node:
            work(node, until=are_over(low))
        assert Run.objects.filter(state=RunState.QUEUED).count() == 1500


class TestANodeThatIsLost:
    def lose(self, session: Connection, **columns: Any) -> Run:
        """Let the node of the one enqueued run be lost while that runs."""
        Run.objects.update(
            node=add_node(beat_at=timezone.now() - timedelta(hours=1)),
            state=RunState.RUNNING,
            started_at=timezone.now(),
            **columns,
        )
        nodes.reap(session, reaper=str(uuid4()), reap_after_seconds=30, max_recoveries=2)
        return Run.objects.order_by("attempt").last()

    def test_is_followed_by_another_attempt_of_an_idempotent_task(self, session: Connection) -> None:
        result = sample.leave_a_trace.enqueue("x")
        recovered = self.lose(session)
        assert (recovered.kind, recovered.attempt, recovered.state) == ("recovery", 2, RunState.QUEUED)
        assert str(recovered.public_id) == result.id
        result.refresh()
        assert (result.status, result.attempts) == ("READY", 1)
        assert [type(error.exception_class).__name__ for error in result.errors] == ["type"]

    def test_fails_the_result_of_any_other_one(self, session: Connection) -> None:
        result = sample.noop.enqueue()
        last = self.lose(session)
        assert (last.attempt, last.state) == (1, RunState.INTERRUPTED)
        result.refresh()
        assert result.status == "FAILED"
        assert result.errors[0].exception_class.__name__ == "RunInterrupted"


class TestAUniqueKey:
    def test_that_is_taken_while_its_run_waits_is_free_when_that_begins(self, session: Connection) -> None:
        first = sample.unique_by_key.enqueue(user=1)
        node = add_node(beat_at=timezone.now())
        (taken,) = stored_runs.take(
            session, node=node, executor="default@default", tasks=[Run.objects.get().task], limit=1
        )
        assert sample.unique_by_key.enqueue(user=1).id == first.id
        stored_runs.start(session, runs=[taken.id], node=node)
        assert sample.unique_by_key.enqueue(user=1).id != first.id

    @pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
    def test_that_an_open_transaction_has_is_decided_when_that(self, commits: bool) -> None:
        def enqueue_too() -> str:
            try:
                return str(sample.unique_by_key.enqueue(user=1).id)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as other:
            with transaction.atomic():
                first = sample.unique_by_key.enqueue(user=1)
                second = other.submit(enqueue_too)
                wait_until(is_a_lock_awaited)
                transaction.set_rollback(not commits)
            assert (second.result(120) == first.id) == commits
        assert Run.objects.count() == 1


class TestAnEnqueuedRun:
    def test_can_be_tried_again_by_a_person(self) -> None:
        result = sample.fail_with_value_error.enqueue()
        with working() as node:
            work(node, until=are_over(result.id))
            again = runs.retry(run=Run.objects.get(), actor="ada")
            work(node, until=are_over(result.id))
        assert (again.attempt, again.kind, str(again.public_id)) == (2, "retry", result.id)
        result.refresh()
        assert (result.attempts, len(result.errors)) == (2, 2)

    def test_runs_in_the_process_pool(self) -> None:
        from scheduler.engine.scheduler import DurableScheduler

        result = sample.process_id.enqueue()
        scheduler = DurableScheduler()
        scheduler.start()
        try:
            wait_until(are_over(result.id))
        finally:
            scheduler.shutdown()
        result.refresh()
        assert result.status == "SUCCESSFUL", Run.objects.values()
        assert isinstance(result.return_value, int)


class TestRetention:
    def end(self, public_id: str, state: RunState, *, days: float) -> None:
        at = timezone.now() - timedelta(days=days)
        Run.objects.filter(public_id=public_id).update(state=state, started_at=at, finished_at=at)

    def test_keeps_successes_a_day_and_failures_thirty(self) -> None:
        ids = enqueue(4)
        kept = [(RunState.SUCCEEDED, 0.5), (RunState.FAILED, 29)]
        gone = [(RunState.SUCCEEDED, 1.5), (RunState.FAILED, 31)]
        for public_id, (state, days) in zip(ids, [*kept, *gone], strict=True):
            self.end(public_id, state, days=days)
        retention.clean_up()
        assert sorted(map(str, Run.objects.values_list("public_id", flat=True))) == sorted(ids[:2])

    def test_is_that_of_the_queue(self) -> None:
        (mail,), (other,) = enqueue(1, queue="mail"), enqueue(1)
        queues.keep(name="mail", successes_days=90, failures_days=None)
        for public_id in (mail, other):
            self.end(public_id, RunState.SUCCEEDED, days=60)
        retention.clean_up()
        assert str(Run.objects.get().public_id) == mail

    def test_keeps_all_attempts_as_long_as_the_last(self) -> None:
        result = sample.fail_with_value_error.enqueue()
        self.end(result.id, RunState.FAILED, days=40)
        runs.retry(run=Run.objects.get())
        retention.clean_up()
        assert Run.objects.count() == 2
