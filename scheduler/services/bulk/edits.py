"""The same edit of many jobs: executor, time limit, time zone, interval, tags, and a preview of what it changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scheduler.core import error_messages, triggers
from scheduler.core.jobs.names import checked_tags
from scheduler.core.triggers import error_messages as trigger_messages
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidRequest, InvalidTrigger, SchedulerError
from scheduler.messages import phrase
from scheduler.models import Job
from scheduler.services.jobs import bulk
from scheduler.services.queries import job_queries

FIELDS = ("executor", "timeout", "timezone", "interval_seconds", "add_tags", "remove_tags")


def check(changes: dict[str, Any]) -> None:
    """
    Check the fields and values of an edit of many jobs.

    :raises InvalidRequest, UnknownExecutor: an edit cannot have these
    """
    unknown = sorted(set(changes) - set(FIELDS))
    if unknown or not changes:
        raise InvalidRequest(error_messages.EDIT_CHANGES_SOME_OF(names=", ".join(FIELDS)))
    if "executor" in changes:
        job_queries.check_executor(executor=changes["executor"])
    for name in ("timeout", "interval_seconds"):
        value = changes.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise InvalidRequest(error_messages.EDIT_IS_SECONDS(name=name, value=f"{value}"))
    if changes.get("interval_seconds", 1) is None:
        raise InvalidRequest(error_messages.EDIT_IS_SECONDS(name="interval_seconds", value="null"))
    for name in ("add_tags", "remove_tags"):
        if name in changes:
            checked_tags(changes[name])
    if "timezone" in changes:
        _check_zone(str(changes["timezone"]))


def _check_zone(name: str) -> None:
    try:
        zone_named(name)
    except LookupError:
        raise InvalidRequest(trigger_messages.UNKNOWN_ZONE(text=name)) from None


def changed(*, job: Job, changes: dict[str, Any]) -> dict[str, Any]:
    """
    Return the fields of the job that become others, with their new values.

    :raises InvalidTrigger: the job's trigger has no interval, or no time zone
    """
    found: dict[str, Any] = {}
    if "executor" in changes and changes["executor"] != job.executor:
        found["executor"] = changes["executor"]
    if "timeout" in changes and changes["timeout"] != job.timeout:
        found["timeout"] = changes["timeout"]
    added, removed = changes.get("add_tags", ()), set(changes.get("remove_tags", ()))
    tags = [tag for tag in dict.fromkeys((*job.tags, *added)) if tag not in removed]
    if tags != job.tags:
        found["tags"] = tags
    trigger = job.trigger
    if "interval_seconds" in changes:
        trigger = _with_interval(trigger, changes["interval_seconds"])
    if "timezone" in changes:
        trigger = _in_zone(trigger, changes["timezone"])
    if not triggers.is_same(trigger, job.trigger):
        found["trigger"] = triggers.current_form(trigger)
    return found


def apply(*, job: Job, changes: dict[str, Any], **author: Any) -> Job:
    """
    Change one job, and return it. A job that has the values already is left alone.

    :raises InvalidTrigger, InvalidPolicy, InvalidName: no change was made
    """
    found = changed(job=job, changes=changes)
    return bulk.update(job=job, **author, version=None, **found) if found else job


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The effect of an edit on one job."""

    job: Job
    changes: dict[str, Any]
    """The fields that become others, with their new values. Empty: none."""

    refusal: SchedulerError | None = None


def preview(*, jobs: Iterable[Job], changes: dict[str, Any]) -> list[Effect]:
    """
    Return what an edit would change, without changing it.

    :raises InvalidRequest, UnknownExecutor: the edit cannot be made
    """
    check(changes)
    return [_effect(job, changes) for job in jobs]


def _effect(job: Job, changes: dict[str, Any]) -> Effect:
    try:
        return Effect(job=job, changes=changed(job=job, changes=changes))
    except SchedulerError as error:
        return Effect(job=job, changes={}, refusal=error)


def _with_interval(trigger: Any, seconds: float) -> dict[str, Any]:
    if not isinstance(trigger, dict) or trigger.get("type") != "interval" or "months" in trigger:
        raise InvalidTrigger(phrase("It does not run at an interval."))
    others = {name: value for name, value in trigger.items() if name not in ("weeks", "days", "hours", "minutes")}
    return {**others, "seconds": seconds}


def _in_zone(trigger: Any, zone: str) -> dict[str, Any]:
    if not isinstance(trigger, dict):
        raise InvalidTrigger(phrase("It has no trigger that follows a time zone."))
    if "triggers" in trigger:
        return {**trigger, "triggers": [_in_zone(each, zone) for each in trigger["triggers"]]}
    if trigger.get("type") == "date":
        raise InvalidTrigger(phrase("It runs once, at an instant."))
    return {**trigger, "timezone": zone}
