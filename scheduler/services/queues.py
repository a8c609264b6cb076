"""Queues: pause and resume one over all nodes, how long its runs are kept, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scheduler.core import error_messages
from scheduler.core.health.standing import QueueView
from scheduler.core.queues import tracks
from scheduler.errors import InvalidPause, InvalidRetention, QueueStateUnchanged
from scheduler.messages import Message
from scheduler.models import Job, Queue
from scheduler.services.jobs.calling import asynchronous
from scheduler.services.queries.representations import instant
from scheduler.store import database
from scheduler.store.clock import aware, database_now
from scheduler.store.measuring import measures
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel

LONGEST_DAYS = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """The present state of a queue. Ages are in seconds."""

    name: str
    queued: int
    """Runs that wait, those that are deferred included."""

    deferred: int
    """Those of them that are to begin later."""

    running: int
    oldest_seconds: float | None
    """For how long the oldest run has waited that may start. ``None``: none waits."""

    finished_last_hour: int
    """Those that ran, counted by five minutes."""

    paused_at: datetime | None = None
    paused_until: datetime | None = None
    paused_by: str = ""
    pause_reason: str = ""
    keep_successes_days: float | None = None
    keep_failures_days: float | None = None

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


def pause(
    *, name: str, actor: str = "", reason: str = "", until: datetime | None = None, now: datetime | None = None
) -> Queue:
    """
    Let no node begin a run of the queue, scheduled ones included. Runs that have begun go on, fire times are queued.

    ``until``: it goes on then. A queue that is paused with another end or reason gets this one.

    :raises InvalidQueue, InvalidPause, QueueStateUnchanged: no change was made
    """
    name = tracks.checked_name(name)
    with database.atomic():
        now = now or database_now()
        until = None if until is None else aware(until)
        if until is not None and until <= now:
            raise InvalidPause(error_messages.PAUSE_IS_OVER(until=until.isoformat(), now=now.isoformat()))
        stored, _ = Queue.objects.select_for_update().get_or_create(name=name)
        if is_paused(stored, now=now) and (stored.paused_until, stored.pause_reason) == (until, reason):
            raise QueueStateUnchanged(error_messages.QUEUE_IS_PAUSED(name=name))
        stored.paused_at, stored.paused_until = now, until
        stored.paused_by, stored.pause_reason = actor[:150], reason
        stored.save()
        notifications.notify(Channel.RUNS)
    return stored


def resume(*, name: str, actor: str = "", now: datetime | None = None) -> Queue:
    """
    Let nodes begin runs of the queue again.

    :raises InvalidQueue, QueueStateUnchanged: no change was made
    """
    name = tracks.checked_name(name)
    with database.atomic():
        now = now or database_now()
        stored = Queue.objects.select_for_update().filter(name=name).first()
        if stored is None or not is_paused(stored, now=now):
            raise QueueStateUnchanged(error_messages.QUEUE_IS_NOT_PAUSED(name=name))
        stored.paused_at = stored.paused_until = None
        stored.paused_by, stored.pause_reason = actor[:150], ""
        stored.save()
        notifications.notify(Channel.RUNS)
    return stored


def keep(*, name: str, successes_days: float | None, failures_days: float | None) -> Queue:
    """
    Keep enqueued runs of the queue for so many days. ``None``: as the settings say.

    :raises InvalidQueue, InvalidRetention: no change was made
    """
    name = tracks.checked_name(name)
    for days in (successes_days, failures_days):
        if days is not None and (isinstance(days, bool) or not 0 <= days <= LONGEST_DAYS):
            raise InvalidRetention(retention_problem(days))
    stored, _ = Queue.objects.update_or_create(
        name=name, defaults={"keep_successes_days": successes_days, "keep_failures_days": failures_days}
    )
    return stored


def represent(*, state: QueueState) -> dict[str, Any]:
    """Describe a queue as JSON, for the API and the command line."""
    return {
        "name": state.name,
        "queued": state.queued,
        "deferred": state.deferred,
        "running": state.running,
        "oldest_seconds": state.oldest_seconds,
        "finished_last_hour": state.finished_last_hour,
        "is_paused": state.is_paused,
        "paused_at": instant(state.paused_at),
        "paused_until": instant(state.paused_until),
        "paused_by": state.paused_by,
        "pause_reason": state.pause_reason,
        "keep_successes_days": state.keep_successes_days,
        "keep_failures_days": state.keep_failures_days,
    }


def retention_problem(days: object) -> Message:
    """Return why runs cannot be kept for so many days."""
    return error_messages.QUEUE_RETENTION(value=f"{days}"[:32], most=LONGEST_DAYS)


def is_paused(queue: Queue, *, now: datetime) -> bool:
    return queue.paused_at is not None and (queue.paused_until is None or queue.paused_until > now)


def states(*, now: datetime | None = None) -> list[QueueState]:
    """Return every queue that jobs name, in which runs wait, or that was changed; by name."""
    now = now or database_now()
    stored = {queue.name: queue for queue in Queue.objects.all()}
    measured = {measure.name: measure for measure in measures.named_queues()}
    names = {
        tracks.DEFAULT_QUEUE,
        *stored,
        *measured,
        *Job.objects.order_by().values_list("queue", flat=True).distinct(),
    }
    recent = ended_last_hour(now=now)
    return [_state(name, stored.get(name), measured.get(name), recent.get(name, 0), now) for name in sorted(names)]


def state(*, name: str, now: datetime | None = None) -> QueueState:
    """:raises InvalidQueue: it cannot be the name of a queue"""
    name = tracks.checked_name(name)
    known = {each.name: each for each in states(now=now)}
    return known.get(name) or _state(name, None, None, 0, now or database_now())


def ended_last_hour(*, now: datetime | None = None) -> Mapping[str, int]:
    """Return how many runs of each queue ran and ended within the last hour. Queues without any are left out."""
    return {total.name: total.ended_last_hour for total in measures.queue_totals(now=now) if total.ended_last_hour}


def _state(name: str, stored: Queue | None, measured: QueueView | None, finished: int, now: datetime) -> QueueState:
    paused = stored is not None and is_paused(stored, now=now)
    return QueueState(
        name=name,
        queued=measured.queued if measured else 0,
        deferred=measured.deferred if measured else 0,
        running=measured.running if measured else 0,
        oldest_seconds=measured.oldest if measured else None,
        finished_last_hour=finished,
        paused_at=stored.paused_at if stored and paused else None,
        paused_until=stored.paused_until if stored and paused else None,
        paused_by=stored.paused_by if stored and paused else "",
        pause_reason=stored.pause_reason if stored and paused else "",
        keep_successes_days=stored.keep_successes_days if stored else None,
        keep_failures_days=stored.keep_failures_days if stored else None,
    )


apause = asynchronous(pause)
aresume = asynchronous(resume)
