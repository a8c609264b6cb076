"""The ``beat_schedule`` of a Celery app, read as declarations of jobs. Celery itself is not needed for a plain dict."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from scheduler.compat import celery_schedules
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidTrigger, SchedulerError, UnusableDeclaration


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a beat schedule."""

    key: str
    definition: dict[str, Any] | None = None
    """A job of a declarations file. ``None``: the entry cannot be converted."""

    text: str = ""
    """Why it cannot, or what is different from now on."""


def load(*, path: str) -> Mapping[str, Any]:
    """
    Return the schedule that ``module:attribute`` names: a dict, or a Celery app.

    :raises UnusableDeclaration: it does not exist
    """
    module, _, attribute = path.partition(":")
    if not module or not attribute:
        raise UnusableDeclaration(f"“{path}” is not module:attribute, such as shop.celery:app.")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UnusableDeclaration(f"“{path}” cannot be found: {error}. Write module:attribute.") from None
    except Exception as error:  # the module is anybody's code
        text = f"“{module}” cannot be imported: {type(error).__name__}: {error}."
        raise UnusableDeclaration(text) from error
    found = getattr(getattr(found, "conf", None), "beat_schedule", found)
    if not isinstance(found, Mapping):
        raise UnusableDeclaration(f"“{path}” is a {type(found).__name__}. It must be a dict or a Celery app.")
    return found


def read(schedule: Mapping[str, Any], *, timezone: str) -> list[Entry]:
    """Return each entry of a schedule, in order. ``timezone`` is that of its crontabs."""
    found = []
    for key, entry in schedule.items():
        try:
            found.append(_entry(str(key), entry, timezone=timezone))
        except SchedulerError as error:
            found.append(Entry(key=str(key), text=str(error)))
    return found


def _entry(key: str, entry: Any, *, timezone: str) -> Entry:
    if not isinstance(entry, Mapping) or not {"task", "schedule"} <= set(entry):
        raise UnusableDeclaration("An entry is a dict with task and schedule.")
    definition: dict[str, Any] = {
        "task": registry.name_of(entry["task"]),
        "trigger": _trigger(entry["schedule"], timezone=timezone),
    }
    for name in ("args", "kwargs"):
        if entry.get(name):
            definition[name] = _as_json(name, entry[name])
    options = dict(entry.get("options") or {})
    expires = options.pop("expires", None)
    if isinstance(expires, int | float):
        definition["misfire_grace_time"] = max(1, int(expires))
    elif isinstance(expires, timedelta):
        definition["misfire_grace_time"] = max(1, int(expires.total_seconds()))
    elif expires is not None:
        options["expires"] = expires
    queue = options.pop("queue", None)
    if isinstance(queue, str):
        definition["queue"] = queue
    elif queue is not None:
        options["queue"] = queue
    text = f"left out: {', '.join(sorted(map(str, options)))}" if options else ""
    return Entry(key=key, definition=definition, text=text)


def _as_json(name: str, value: Any) -> Any:
    """
    Return arguments as a file can hold them.

    :raises UnusableDeclaration: one of them is not a JSON value
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise UnusableDeclaration(f"Its {name} cannot be written as JSON: {error}.") from None


def _trigger(schedule: Any, *, timezone: str) -> dict[str, Any]:
    """
    Return the trigger of a schedule: seconds, a ``timedelta``, or an object of ``celery.schedules``.

    :raises InvalidTrigger: the schedule has no equivalent
    """
    if isinstance(schedule, int | float) and not isinstance(schedule, bool):
        return celery_schedules.interval(timedelta(seconds=schedule))
    if isinstance(schedule, timedelta):
        return celery_schedules.interval(schedule)
    kind = type(schedule).__name__
    if kind == "crontab":
        fields = {
            "minute": schedule.minute,
            "hour": schedule.hour,
            "day": schedule.day_of_month,
            "month": schedule.month_of_year,
            "day_of_week": schedule.day_of_week,
        }
        return celery_schedules.crontab(fields, timezone=timezone)
    if isinstance(getattr(schedule, "run_every", None), timedelta) and kind == "schedule":
        return celery_schedules.interval(schedule.run_every)
    raise InvalidTrigger(f"Its schedule is a {kind}, which has no equivalent trigger.")
