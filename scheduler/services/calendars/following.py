"""The jobs that follow a change of a calendar."""

from __future__ import annotations

import json
from datetime import datetime

from django.db.models import QuerySet

from scheduler.core import error_messages, triggers
from scheduler.core.states import JobState, Via
from scheduler.errors import InvalidCalendar, InvalidTrigger
from scheduler.messages import phrase
from scheduler.models import Calendar, Job
from scheduler.store import calendars
from scheduler.store.jobs import replanning

MOST_AT_ONCE = 1_000
"""Jobs that one change re-plans. Nodes do the others, a batch a minute."""

_MOST_NAMED = 5


def named(jobs: QuerySet[Job]) -> str:
    """Return the names of the first jobs and how many more there are; empty: there are none."""
    found = list(jobs.values_list("name", flat=True)[: _MOST_NAMED + 1])
    if len(found) <= _MOST_NAMED:
        return ", ".join(found)
    return phrase("{jobs} and others", jobs=", ".join(found[:_MOST_NAMED]))


def check(*, calendar: Calendar, jobs: QuerySet[Job], now: datetime) -> None:
    """
    Check that each job still has fire times, and can be planned, with a calendar as the caller's transaction has it.

    :raises InvalidCalendar: naming the jobs
    """
    maintenance = calendars.windows()
    judged: dict[str, InvalidTrigger | None] = {}
    stopped: list[str] = []
    problem: InvalidTrigger | None = None
    active = jobs.filter(state__in=(JobState.ACTIVE, JobState.PAUSED)).order_by("pk")
    for name, trigger, tags in active.values_list("name", "trigger", "tags").iterator(chunk_size=2000):
        form = calendars.with_windows(trigger, tags=tags, among=maintenance)
        key = json.dumps(form, sort_keys=True)
        if key not in judged:
            judged[key] = _problem(form, now)
        if judged[key] is not None:
            problem = judged[key]
            stopped.append(name)
            if len(stopped) > _MOST_NAMED:
                break
    if problem is not None:
        shown = ", ".join(stopped[:_MOST_NAMED])
        jobs_text = shown if len(stopped) <= _MOST_NAMED else phrase("{jobs} and others", jobs=shown)
        values = {"jobs": jobs_text, "problem": problem.message}
        raise InvalidCalendar(error_messages.CALENDAR_STOPS_JOBS(**values), field="rules")


def _problem(form: object, now: datetime) -> InvalidTrigger | None:
    try:
        triggers.normalize(form, now=now)  # type: ignore[arg-type]
    except InvalidTrigger as error:
        return error
    return None


def replan_some(*, actor: str, via: Via | str) -> int:
    """Bring jobs to their present calendars and return their number. Nodes continue with the rest."""
    return replanning.replan_many(jobs=replanning.find(limit=MOST_AT_ONCE), actor=actor, via=via)
