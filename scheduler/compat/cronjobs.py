"""The setting ``CRONJOBS`` of django-crontab, read as declarations of jobs. The package itself is not needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scheduler.core import triggers
from scheduler.core.tasks.registry import registry
from scheduler.errors import SchedulerError, UnknownTask, UnusableDeclaration

_CALL_COMMAND = "django.core.management.call_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of ``CRONJOBS``."""

    key: str
    definition: dict[str, Any] | None = None
    """A job of a declarations file. ``None``: the entry cannot be converted."""

    text: str = ""
    """Why it cannot, or what is different from now on."""


def read(cronjobs: Sequence[Any], *, timezone: str) -> list[Entry]:
    """
    Return each entry, in order: the time, the path of a function, and then a suffix, or arguments and a suffix.

    ``timezone`` is that of the machine whose cron ran the jobs.
    """
    found: list[Entry] = []
    keys: set[str] = set()
    for number, entry in enumerate(cronjobs, start=1):
        key = _key(entry, number, keys)
        keys.add(key)
        try:
            found.append(_entry(key, entry, timezone=timezone))
        except SchedulerError as error:
            found.append(Entry(key=key, text=str(error)))
    return found


def modules(cronjobs: Sequence[Any]) -> list[str]:
    """Return the modules of the functions, for ``SCHEDULER["TASK_MODULES"]``."""
    paths = {str(entry[1]) for entry in cronjobs if isinstance(entry, list | tuple) and len(entry) > 1}
    return sorted({path.rpartition(".")[0] for path in paths - {_CALL_COMMAND}} - {""})


def _key(entry: Any, number: int, keys: set[str]) -> str:
    path = str(entry[1]) if isinstance(entry, list | tuple) and len(entry) > 1 else f"entry-{number}"
    if path == _CALL_COMMAND and len(entry) > 2 and isinstance(entry[2], list | tuple) and entry[2]:
        path = str(entry[2][0])
    base = re.sub(r"[^A-Za-z0-9_.-]+", "-", path)[:200]
    return base if base not in keys else f"{base}-{number}"


def _entry(key: str, entry: Any, *, timezone: str) -> Entry:
    if not isinstance(entry, list | tuple) or not 2 <= len(entry) <= 5:
        raise UnusableDeclaration("An entry is a time, the path of a function, arguments and a suffix.")
    expression, path, *rest = entry
    trigger = {"type": "cron", "expression": str(expression), "timezone": timezone}
    triggers.parse(trigger)
    suffix = rest.pop(0) if rest and isinstance(rest[0], str) else rest.pop(2) if len(rest) > 2 else ""
    args = list(rest[0]) if rest else []
    kwargs = dict(rest[1]) if len(rest) > 1 and isinstance(rest[1], Mapping) else {}
    definition: dict[str, Any] = {"trigger": str(expression), "timezone": timezone}
    definition |= _command(args, kwargs) if path == _CALL_COMMAND else _function(str(path), args, kwargs)
    return Entry(key=key, definition=definition, text=f"left out: {suffix}" if suffix else "")


def _function(path: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    module, _, name = path.rpartition(".")
    try:
        task = registry.name_of(f"{module}:{name}")
    except UnknownTask:
        task = f"{module}:{name}"
    return {"task": task, **({"args": args} if args else {}), **({"kwargs": kwargs} if kwargs else {})}


def _command(args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the call of a management command, whose options become words."""
    if not args:
        raise UnusableDeclaration("It calls no command.")
    words = [str(each) for each in args[1:]]
    for name, value in kwargs.items():
        option = f"--{name.replace('_', '-')}"
        words += [option] if value is True else [f"{option}={value}"]
    called = {"name": str(args[0]), **({"args": words} if words else {})}
    return {"task": "scheduler.call_command", "kwargs": called}
