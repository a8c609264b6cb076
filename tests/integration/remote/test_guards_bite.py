"""Each guard of the workers' start gate and of the stamps is there for a reason: without it a check fails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler.core.states import NodeState, RunState
from scheduler.models import Queue, Run
from scheduler.remote.executors import Ring
from scheduler.store import statements
from scheduler.store.claiming import rings
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_node, add_run, take_rung

pytestmark = pytest.mark.django_db(transaction=True)

Check = Callable[[Connection], None]

NOW = timezone.now()
PAST = NOW - timedelta(minutes=1)


def waiting(**changes: object) -> Run:
    job = add_job(id=f"job{Run.objects.count()}", due_at=None, task=str(changes.pop("task", "sample.nothing")))
    return add_run(job, scheduled_at=PAST, **{"executor": "celery:scrape", **changes})


def worker(**changes: object) -> str:
    return add_node(**{"beat_at": NOW, "kind": "celery", **changes})


def begins(session: Connection, run: Run, *, node: str | None = None, attempt: int = 1) -> bool:
    taken = rings.take(
        session,
        node=node or worker(),
        attempts=[Ring(run=run.pk, attempt=attempt, ring=1)],
        tasks=["sample.nothing"],
        limited=["sample.nothing"] if run.kwargs == {"limited": True} else [],
    )
    return bool(taken)


def stamped(session: Connection, **changes: object) -> list[int]:
    given = {"broker": "celery", "limit": 10, "most_inflight": 10, "again_seconds": 30.0, "longest_seconds": 600.0}
    return [run.id for run in rings.stamp(session, **{**given, "now": NOW, **changes}) or ()]


def another_attempt_does_not_begin(session: Connection) -> None:
    assert not begins(session, waiting(), attempt=2)


def what_was_cancelled_does_not_begin(session: Connection) -> None:
    assert not begins(session, waiting(state=RunState.CANCELLED))


def what_another_worker_has_does_not_begin(session: Connection) -> None:
    run = waiting(kwargs={"limited": True})
    assert begins(session, run)
    assert not begins(session, run)


def what_is_held_does_not_begin(session: Connection) -> None:
    assert not begins(session, waiting(held=True))


def what_is_not_due_does_not_begin(session: Connection) -> None:
    assert not begins(session, waiting(due_at=NOW + timedelta(days=1)))


def what_has_expired_does_not_begin(session: Connection) -> None:
    assert not begins(session, waiting(expires_at=PAST))


def a_task_of_another_release_does_not_begin(session: Connection) -> None:
    assert not begins(session, waiting(task="tests.of_another_release"))


def a_paused_queue_begins_nothing(session: Connection) -> None:
    Queue.objects.create(name="default", paused_at=PAST)
    assert not begins(session, waiting())


def a_worker_that_was_given_up_begins_nothing(session: Connection) -> None:
    assert not begins(session, waiting(), node=worker(state=NodeState.LOST))


def runs_of_nodes_are_not_a_workers(session: Connection) -> None:
    assert not begins(session, waiting(executor="default"))


def what_began_is_not_unstamped(session: Connection) -> None:
    run = waiting()
    (found,) = (
        rings.stamp(session, broker="celery", limit=1, most_inflight=1, again_seconds=30, longest_seconds=600) or ()
    )
    begins(session, run)
    assert rings.unstamp(session, runs=[found]) == 0


def what_was_rung_again_is_not_unstamped(session: Connection) -> None:
    run = waiting()
    (found,) = (
        rings.stamp(session, broker="celery", limit=1, most_inflight=1, again_seconds=30, longest_seconds=600) or ()
    )
    Run.objects.filter(pk=run.pk).update(rings=2)
    assert rings.unstamp(session, runs=[found]) == 0


def a_broker_is_rung_for_its_own_runs(session: Connection) -> None:
    waiting(executor="tasks:other")
    waiting(executor="tasks:third", rings=1, rung_at=PAST)
    assert stamped(session) == []


def what_was_rung_just_now_is_not_rung_again(session: Connection) -> None:
    waiting(rings=1, rung_at=NOW - timedelta(seconds=29))
    assert stamped(session) == []


def a_full_queue_is_not_rung(session: Connection) -> None:
    waiting(rings=1, rung_at=NOW)
    waiting()
    assert stamped(session, most_inflight=1) == []


def the_tracks_of_a_queue_share_its_room(session: Connection) -> None:
    waiting()
    waiting(executor="celery:scrape@mail")
    assert len(stamped(session, most_inflight=1)) == 1


def what_is_not_due_is_not_rung(session: Connection) -> None:
    waiting(due_at=NOW + timedelta(seconds=1))
    assert stamped(session) == []


def what_has_expired_is_not_rung(session: Connection) -> None:
    waiting(expires_at=NOW)
    assert stamped(session) == []


def a_locked_run_is_passed_by(session: Connection) -> None:
    run = waiting()
    other = Connection(purpose="test")
    try:
        with other.transaction() as elsewhere:
            elsewhere.execute("lock_runs", runs=f"{{{run.pk}}}")
            assert stamped(session) == []
    finally:
        other.close()


def lost(**changes: object) -> Run:
    """Write a run whose message was sent for the fifth time half a minute ago."""
    return waiting(rings=5, rung_at=NOW - timedelta(seconds=30), **changes)


def a_worker_that_was_given_up_has_no_places(session: Connection) -> None:
    lost()
    worker(state=NodeState.LOST, executors={"celery": 2}, queues=["scrape"])
    assert stamped(session) == []


def a_drained_worker_has_no_places(session: Connection) -> None:
    lost()
    worker(drained_at=NOW, executors={"celery": 2}, queues=["scrape"])
    assert stamped(session) == []


def a_worker_of_another_queue_has_no_places(session: Connection) -> None:
    lost()
    worker(executors={"celery": 2}, queues=["other"])
    assert stamped(session) == []


def a_worker_of_another_kind_has_no_places(session: Connection) -> None:
    lost()
    worker(kind="tasks", executors={"tasks": 2}, queues=["scrape"])
    assert stamped(session) == []


def a_busy_worker_has_no_places(session: Connection) -> None:
    lost()
    node = worker(executors={"celery": 1}, queues=["scrape"])
    waiting(state=RunState.RUNNING, node=node)
    assert stamped(session) == []


def no_more_are_rung_again_than_there_are_places(session: Connection) -> None:
    lost()
    lost()
    worker(executors={"celery": 1}, queues=["scrape"])
    assert len(stamped(session)) == 1


def newer_messages_take_places(session: Connection) -> None:
    lost()
    waiting(rings=1, rung_at=NOW)
    worker(executors={"celery": 1}, queues=["scrape"])
    assert stamped(session) == []


def what_was_rung_again_just_now_waits_for_its_answer(session: Connection) -> None:
    waiting(rings=5, rung_at=NOW - timedelta(seconds=29))
    worker(executors={"celery": 1}, queues=["scrape"])
    assert stamped(session) == []


GATE, STAMP, UNSTAMP = "take_rung_runs", "stamp_runs_to_ring", "unstamp_runs"
DUE = "AND run.due_at <= coalesce(%(now)s::timestamptz, clock_timestamp())"
EXPIRES = "AND (run.expires_at IS NULL OR run.expires_at > coalesce(%(now)s::timestamptz, clock_timestamp()))"
GUARDS: tuple[tuple[str, str, str, Check], ...] = (
    (GATE, "run.attempt = ring.attempt", "true", another_attempt_does_not_begin),
    (GATE, "AND run.state = 'queued'", "", what_was_cancelled_does_not_begin),
    (GATE, "AND run.node IS NULL", "", what_another_worker_has_does_not_begin),
    (GATE, "AND NOT run.held", "", what_is_held_does_not_begin),
    (GATE, DUE, "", what_is_not_due_does_not_begin),
    (GATE, EXPIRES, "", what_has_expired_does_not_begin),
    (GATE, "AND run.task = ANY(%(tasks)s::text[])", "", a_task_of_another_release_does_not_begin),
    (GATE, "queue.name = run.queue", "false", a_paused_queue_begins_nothing),
    (GATE, "AND worker.state = 'running'", "", a_worker_that_was_given_up_begins_nothing),
    (GATE, "AND worker.kind = split_part(run.executor, ':', 1)", "", runs_of_nodes_are_not_a_workers),
    (UNSTAMP, "AND run.state = 'queued'", "", what_began_is_not_unstamped),
    (UNSTAMP, "AND run.rings = refused.ring", "", what_was_rung_again_is_not_unstamped),
    (
        STAMP,
        "WHERE %(broker)s IN (split_part(level.track, ':', 1), split_part(level.track, '@', 1))\n       AND",
        "WHERE",
        a_broker_is_rung_for_its_own_runs,
    ),
    (
        STAMP,
        "AND %(broker)s IN (split_part(run.executor, ':', 1), split_part(run.executor, '@', 1))",
        "",
        a_broker_is_rung_for_its_own_runs,
    ),
    (STAMP, "* least(%(again_seconds)s", "* 0 * least(%(again_seconds)s", what_was_rung_just_now_is_not_rung_again),
    (STAMP, "worker.state = 'running'", "true", a_worker_that_was_given_up_has_no_places),
    (STAMP, "AND worker.drained_at IS NULL", "", a_drained_worker_has_no_places),
    (
        STAMP,
        "AND worker.queues @> to_jsonb(split_part(repeated.executor, ':', 2))",
        "",
        a_worker_of_another_queue_has_no_places,
    ),
    (STAMP, "AND worker.kind = split_part(repeated.executor, ':', 1)", "", a_worker_of_another_kind_has_no_places),
    (STAMP, "place.number - busy.number", "place.number", a_busy_worker_has_no_places),
    (STAMP, "WHEN ranked.place <= ranked.free", "WHEN ranked.free > 0", no_more_are_rung_again_than_there_are_places),
    (STAMP, "ranked.surplus::int", "0", newer_messages_take_places),
    (STAMP, "+ interval '1 second' * %(again_seconds)s", "", what_was_rung_again_just_now_waits_for_its_answer),
    (STAMP, "coalesce(inflight.runs, 0)", "0", a_full_queue_is_not_rung),
    (STAMP, "WHERE unrung.place <= unrung.room", "", the_tracks_of_a_queue_share_its_room),
    (STAMP, "AND run.due_at <= clock.now", "", what_is_not_due_is_not_rung),
    (STAMP, "AND (run.expires_at IS NULL OR run.expires_at > clock.now)", "", what_has_expired_is_not_rung),
    (STAMP, "SKIP LOCKED", "", a_locked_run_is_passed_by),
)


@pytest.mark.parametrize(
    ("statement", "guard", "instead", "check"),
    GUARDS,
    ids=[f"{name}: {check.__name__}" for name, _, _, check in GUARDS],
)
def test_the_guard_is_missed(
    session: Connection,
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
    guard: str,
    instead: str,
    check: Check,
) -> None:
    check(session)
    Run.objects.all().delete()
    Queue.objects.all().delete()
    text = statements.load(statement)
    assert text.count(guard) == 1
    load = statements.load
    weak = text.replace(guard, instead)
    monkeypatch.setattr(statements, "load", lambda name: weak if name == statement else load(name))

    with pytest.raises(Exception):  # noqa: B017 - an assertion, or what the database says
        check(session)


def test_a_ring_of_a_worker_is_answered_by_the_gate_alone(session: Connection) -> None:
    run = waiting(rings=1, rung_at=PAST)
    assert take_rung(session, node=worker(), run=run.pk, attempt=1) is not None
