"""Validate parts of a definition before it is saved: arguments, tags and triggers, by the rules that saving applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scheduler.core import triggers
from scheduler.core.jobs import names
from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.budget import REQUEST_STEPS, Budget
from scheduler.messages import Message
from scheduler.models import Job
from scheduler.services import masking
from scheduler.store.clock import database_now
from scheduler.store.jobs import rows

_FIRST = datetime(2, 1, 1, tzinfo=UTC)
_LAST = datetime(9998, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerPreview:
    """The effect of a trigger from an instant on."""

    trigger: dict[str, Any]
    """Normalized: the form that is stored."""

    sentence: str
    remarks: tuple[Message, ...]
    """Parts that may be meant differently."""

    fire_times: tuple[datetime, ...]
    now: datetime
    upcoming: tuple[triggers.Upcoming, ...] = ()
    """The fire times, and between them those that calendars leave out."""


def check_arguments(*, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], job: Job | None = None) -> None:
    """
    Check the arguments of a new job, or of one that has some already.

    :raises UnknownTask, InvalidArguments: naming the argument that does not fit
    """
    if job is not None:
        masking.check_destination(job=job, changes={"task": task, "args": args, "kwargs": kwargs})
    rows.check_arguments(task=task, args=args, kwargs=kwargs, job="" if job is None else job.pk)


def check_tags(*, tags: Sequence[str]) -> list[str]:
    """
    Return the tags as they are stored.

    :raises InvalidName: a tag is invalid, or there are too many
    """
    return names.checked_tags(tags)


def preview(*, trigger: Any, count: int, after: datetime | None = None, must_fire: bool = False) -> TriggerPreview:
    """
    Return the normalized trigger and its next fire times after an instant, by default the database's present.

    :raises InvalidTrigger: it cannot be used
    :raises NeverFires: with ``must_fire``, all of its fire times are past
    :raises TooCostly: it has to be searched for too long
    """
    # A year from the ends of what can be held, every trigger and every zone has room to compute.
    now = min(max(after or database_now(), _FIRST), _LAST)
    with Budget(REQUEST_STEPS):
        normalized = triggers.normalize(trigger, now=now)
        if must_fire:
            triggers.check_future(normalized, now=now)
        upcoming = tuple(triggers.upcoming(normalized, after=now, count=count)) if count else ()
    return TriggerPreview(
        trigger=normalized,
        sentence=triggers.describe(normalized),
        remarks=triggers.remarks(triggers.parse(normalized)),
        fire_times=tuple(each.at for each in upcoming if each.left_out is None),
        now=now,
        upcoming=upcoming,
    )


def refuse_masks(*, task: str, changes: Mapping[str, Any], stored: Job | None) -> None:
    """
    Reject masks that stand for no secret. ``stored``: the job that would be changed.

    :raises InvalidArguments: naming the argument
    """
    if stored is None:
        for name in ("args", "kwargs"):
            masking.unmasked(given=changes.get(name), stored=None, pointer=f"/{name}")
    if changes.get("kwargs"):
        masking.refuse_masks(kwargs=changes["kwargs"], secrets=registry.get(task).secrets)
