"""How a job is run, beside its task, arguments and trigger: which policies there are and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.conf import SchedulerSettings
from scheduler.core.registry import DEFAULT_EXECUTOR, Task
from scheduler.core.states import Overlap
from scheduler.errors import InvalidPolicy
from scheduler.phrases import phrase

POLICIES = (
    "executor",
    "priority",
    "coalesce",
    "max_instances",
    "misfire_grace_time",
    "overlap",
    "timeout",
    "max_retries",
    "retry_delay",
    "retry_backoff",
    "retry_delay_cap",
    "retry_jitter",
    "pause_after_failures",
    "rerun_if_interrupted",
)

_WHOLE_NUMBERS = (
    ("max_instances", 1, 10_000),
    ("priority", -1000, 1000),
    ("max_retries", 0, 1000),
    ("pause_after_failures", 1, 1_000_000),
)
_NUMBERS = (
    ("timeout", 0.1, 31_536_000),
    ("retry_delay", 0, 604_800),
    ("retry_backoff", 1, 100),
    ("retry_delay_cap", 0, 604_800),
    ("retry_jitter", 0, 1),
)
_MAY_BE_EMPTY = ("misfire_grace_time", "timeout", "pause_after_failures")


def defaults(*, task: Task, settings: SchedulerSettings) -> dict[str, Any]:
    """Return every policy as it is when nobody says anything: from the task, else from the settings."""
    grace = settings.misfire_grace_seconds
    return {
        "executor": task.executor or DEFAULT_EXECUTOR,
        "priority": 0,
        "coalesce": settings.coalesce,
        "max_instances": settings.max_instances,
        "misfire_grace_time": None if grace is None else int(grace),
        "overlap": Overlap.SKIP,
        "timeout": None,
        "max_retries": 0,
        "retry_delay": 30.0,
        "retry_backoff": 2.0,
        "retry_delay_cap": 3600.0,
        "retry_jitter": 0.1,
        "pause_after_failures": None,
        "rerun_if_interrupted": task.idempotent,
    }


def check(policies: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the policies as they are stored.

    :raises InvalidPolicy: naming the value and what is allowed
    """
    refuse_unknown(policies)
    checked = dict(policies)
    given = {name: value for name, value in checked.items() if value is not None or name not in _MAY_BE_EMPTY}
    for name, low, high in _WHOLE_NUMBERS:
        if name in given:
            _refuse_out_of_range(name, given[name], low, high)
    for name, lowest, highest in _NUMBERS:
        if name in given:
            _refuse_no_number(name, given[name], lowest, highest)
    if checked.get("overlap", Overlap.SKIP) not in set(Overlap):
        raise InvalidPolicy(
            phrase(
                "overlap is “{value}”; it is {allowed}.", value=f"{checked['overlap']}", allowed=" or ".join(Overlap)
            )
        )
    if checked.get("misfire_grace_time") is not None:
        checked["misfire_grace_time"] = _whole_seconds("misfire_grace_time", checked["misfire_grace_time"])
    for name in ("coalesce", "rerun_if_interrupted"):
        if name in checked and not isinstance(checked[name], bool):
            raise InvalidPolicy(
                phrase("{name} is “{value}”; it is true or false.", name=name, value=f"{checked[name]}")
            )
    executor = checked.get("executor", DEFAULT_EXECUTOR)
    if not isinstance(executor, str) or not 0 < len(executor) <= 64:
        raise InvalidPolicy(
            phrase("executor is “{value}”; it is a name of at most 64 characters.", value=f"{executor}")
        )
    return checked


def refuse_unknown(policies: Mapping[str, Any]) -> None:
    """:raises InvalidPolicy: naming those that do not exist"""
    unknown = sorted(set(policies) - set(POLICIES))
    if unknown:
        raise InvalidPolicy(
            phrase("A job has no policy {names}. There are: {all}.", names=", ".join(unknown), all=", ".join(POLICIES))
        )


def _refuse_out_of_range(name: str, value: Any, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidPolicy(
            phrase(
                "{name} is “{value}”; it is a whole number from {low:,} to {high:,}.",
                name=name,
                value=f"{value}",
                low=low,
                high=high,
            )
        )


def _refuse_no_number(name: str, value: Any, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InvalidPolicy(
            phrase(
                "{name} is “{value}”; it is a number from {low:,} to {high:,}.",
                name=name,
                value=f"{value}",
                low=low,
                high=high,
            )
        )


def _whole_seconds(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 2_147_483_647:
        raise InvalidPolicy(
            phrase(
                "{name} is “{value}”; it is a number of seconds from 1 on, or empty for no limit.",
                name=name,
                value=f"{value}",
            )
        )
    return int(value)
