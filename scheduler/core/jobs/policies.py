"""Validate the policies of a job and fill in their defaults. ``core/definition.py`` lists them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scheduler.conf import SchedulerSettings
from scheduler.core import error_messages
from scheduler.core.definition import BY_NAME, FIELDS, POLICIES, Field, Kind
from scheduler.core.queues import tracks
from scheduler.core.tasks.task import DEFAULT_EXECUTOR, Task
from scheduler.errors import InvalidPolicy
from scheduler.messages import Message


def defaults(*, task: Task, settings: SchedulerSettings) -> dict[str, Any]:
    """Return the default of every policy: from the task, else from the settings."""
    grace = settings.misfire_grace_seconds
    return {
        **{field.name: field.default for field in FIELDS if field.is_policy},
        "executor": task.executor or DEFAULT_EXECUTOR,
        "coalesce": settings.coalesce,
        "max_instances": settings.max_instances,
        "misfire_grace_time": None if grace is None else int(grace),
        "rerun_if_interrupted": task.idempotent,
    }


def check(policies: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the policies as they are stored.

    :raises InvalidPolicy: naming the value and what is allowed
    """
    refuse_unknown(policies)
    return {name: _checked(BY_NAME[name], value) for name, value in policies.items()}


def refuse_unknown(policies: Mapping[str, Any]) -> None:
    """:raises InvalidPolicy: naming those that do not exist"""
    unknown = sorted(set(policies) - set(POLICIES))
    if unknown:
        raise InvalidPolicy(error_messages.UNKNOWN_POLICY(names=", ".join(unknown), all=", ".join(POLICIES)))


def _checked(field: Field, value: Any) -> Any:
    if value is None and field.may_be_empty:
        return None
    if field.is_duration and isinstance(value, timedelta):
        value = value.total_seconds()
    if not _fits(field, value):
        raise InvalidPolicy(_problem(field, value))
    if field.name == "queue":
        return tracks.checked_name(value)
    return int(value) if field.kind is Kind.WHOLE_SECONDS else value


def _fits(field: Field, value: Any) -> bool:
    match field.kind:
        case Kind.YES_NO:
            return isinstance(value, bool)
        case Kind.CHOICE:
            return isinstance(value, str) and value in field.choices
        case Kind.TEXT:
            return isinstance(value, str) and 0 < len(value) <= (field.max_length or len(value))
        case Kind.WHOLE_NUMBER:
            is_number = isinstance(value, int)
        case _:
            is_number = isinstance(value, int | float)
    if isinstance(value, bool) or not is_number:
        return False
    return (field.low is None or field.low <= value) and (field.high is None or value <= field.high)


def _problem(field: Field, value: Any) -> Message:
    given = {"name": field.name, "value": f"{value}"}
    match field.kind:
        case Kind.YES_NO:
            return error_messages.POLICY_IS_A_BOOLEAN(**given)
        case Kind.CHOICE:
            return error_messages.POLICY_IS_A_CHOICE(allowed=" or ".join(field.choices), **given)
        case Kind.TEXT:
            return error_messages.POLICY_IS_A_NAME(most=field.max_length, **given)
        case Kind.WHOLE_NUMBER:
            return error_messages.POLICY_IS_A_WHOLE_NUMBER(
                low=field.low,
                high=field.high,
                **given,
            )
        case Kind.WHOLE_SECONDS:
            return error_messages.POLICY_IS_SECONDS(**given)
        case _:
            return error_messages.POLICY_IS_A_NUMBER(low=field.low, high=field.high, **given)
