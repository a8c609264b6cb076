"""The next fire times of a job before and after a step of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from scheduler.core import triggers
from scheduler.core.declarations import REMOVED
from scheduler.errors import SchedulerError
from scheduler.models import Calendar
from scheduler.services.declarations.steps import Action, Step
from scheduler.store import calendars
from scheduler.store.clock import database_now

COUNT = 3
"""Fire times on each side."""

_SHOWN = (Action.CREATE, Action.ADOPT, Action.UPDATE)


class NextRuns(NamedTuple):
    """Empty where the job does not exist yet, or does not fire."""

    before: tuple[datetime, ...] = ()
    after: tuple[datetime, ...] = ()


def of(steps: Sequence[Step], *, now: datetime | None = None) -> Iterator[NextRuns | None]:
    """
    Return the next fire times of each step, in the same order; ``None`` where they stay the same.

    A job that stays paused has none, before and after.
    """
    now = now or database_now()
    maintenance = calendars.windows()
    with triggers.parsing_once():
        for step in steps:
            yield _of(step, now=now, maintenance=maintenance)


def _of(step: Step, *, now: datetime, maintenance: Sequence[Calendar]) -> NextRuns | None:
    if step.kind != "job" or step.action not in _SHOWN or step.stays_paused:
        return None
    if step.action is Action.CREATE:
        tags = step.flat.get("tags", ())
        return NextRuns(after=_times(step.flat.get("trigger"), tags=tags, among=maintenance, now=now))
    if "trigger" not in step.write:
        return None
    before = step.before.get("trigger")
    tags = step.write.get("tags", step.tags)
    return NextRuns(
        before=_times(before, tags=None, among=(), now=now) if before is not REMOVED else (),
        after=_times(step.write["trigger"], tags=tags, among=maintenance, now=now),
    )


def _times(
    trigger: Mapping[str, Any] | None, *, tags: Sequence[str] | None, among: Sequence[Calendar], now: datetime
) -> tuple[datetime, ...]:
    """``tags``: of a trigger without its maintenance windows; ``None``: it is stored with them."""
    form = trigger if tags is None else calendars.with_windows(trigger, tags=tags, among=among)
    try:
        return tuple(triggers.next_fire_times(form, after=now, count=COUNT))  # type: ignore[arg-type]
    except (SchedulerError, TypeError, AttributeError):
        return ()
