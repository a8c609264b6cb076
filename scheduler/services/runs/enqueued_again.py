"""Another attempt of an enqueued run, which a person or a program asks for."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError
from django.db.models import Max

from scheduler.core import error_messages
from scheduler.core.tasks.registry import registry
from scheduler.errors import AlreadyEnqueued, RunIsActive
from scheduler.messages import phrase
from scheduler.models import Run
from scheduler.store import database
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel


def retry(*, run: Run, actor: str, now: datetime) -> Run:
    """
    Queue another attempt, with the arguments and the result id of the former ones.

    :raises RunIsActive: an attempt of it has not ended
    :raises AlreadyEnqueued: another run with its unique key waits or runs
    :raises UnknownTask: its task is not registered here
    """
    with database.atomic():
        attempts = Run.objects.filter(public_id=run.public_id)
        last = attempts.select_for_update().order_by("-attempt").first() or run
        if last.finished_at is None:
            raise RunIsActive(error_messages.CANCEL_RUN_FIRST(id=f"{last.pk}", state=phrase(last.state)))
        registry.get(run.task)
        number = attempts.aggregate(last=Max("attempt"))["last"] + 1
        created = Run.again(run, attempt=number, now=now, requested_by=actor)
        try:
            with database.atomic():
                created.save(force_insert=True)
        except IntegrityError as error:
            raise AlreadyEnqueued(error_messages.UNIQUE_KEY_BUSY(key=f"{run.unique_key}")) from error
        notifications.notify(Channel.RUNS, subject=created.executor)
    return created
