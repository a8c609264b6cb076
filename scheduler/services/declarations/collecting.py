"""Collect declarations from code and files. Unreadable ones become errors of their source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from scheduler import conf, schedules
from scheduler.core.declarations import Declaration, OnConflict, read_trigger
from scheduler.core.tasks.registry import registry
from scheduler.errors import SchedulerError, UnusableDeclaration
from scheduler.services.declarations import files

CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadError:
    """Something of a source that could not be read."""

    source: str
    origin: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The declarations of all sources."""

    declarations: tuple[Declaration, ...]
    errors: tuple[LoadError, ...]
    """While there is one, what is missing does not count as dropped."""

    owner: str = ""
    """The owner of these declarations. Only jobs of the same owner can be dropped."""

    is_complete: bool = True
    """Whether jobs of this owner that are missing here count as dropped."""


def collect() -> Collected:
    """Return the declarations of the loaded code and of the files in ``SCHEDULER["DECLARATIONS"]``."""
    found: list[Declaration] = []
    errors: list[LoadError] = []
    for registered in schedules.registered():
        try:
            found.append(_declared(registered))
        except SchedulerError as error:
            errors.append(LoadError(source=CODE, origin=_origin(registered), text=str(error)))
    for path in conf.get().declarations:
        try:
            found += files.read(path=Path(path))
        except UnusableDeclaration as error:
            errors.append(LoadError(source=Path(path).name, origin=Path(path).name, text=str(error)))
    return Collected(declarations=tuple(_once(found, errors)), errors=tuple(errors))


def _declared(registered: schedules.Registered) -> Declaration:
    task = registry.name_of(registered.task)
    if registered.on_conflict not in set(OnConflict):
        raise UnusableDeclaration(f"on_conflict is “{registered.on_conflict}”. Allowed: {', '.join(OnConflict)}.")
    definition = {name: _plain(value) for name, value in registered.stated.items()}
    definition |= {"task": task, "trigger": read_trigger(registered.trigger, timezone=registered.timezone)}
    return Declaration(
        key=registered.key or task,
        definition=definition,
        source=CODE,
        origin=_origin(registered),
        previous_keys=registered.previous_keys,
        on_conflict=OnConflict(registered.on_conflict),
    )


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _origin(registered: schedules.Registered) -> str:
    task = registered.task
    return task if isinstance(task, str) else f"{task.__module__}.{getattr(task, '__qualname__', task)}"


def _once(found: Iterable[Declaration], errors: list[LoadError]) -> list[Declaration]:
    """Leave out declarations that share a key, with an error for each."""
    found = list(found)
    counts = Counter(declaration.key for declaration in found)
    for declaration in found:
        if counts[declaration.key] > 1:
            others = sorted({other.origin for other in found if other.key == declaration.key})
            text = f"The key “{declaration.key}” is declared {counts[declaration.key]} times: {', '.join(others)}. "
            errors.append(
                LoadError(
                    source=declaration.source, origin=declaration.origin, text=f"{text}Give each a key of its own."
                )
            )
    return [declaration for declaration in found if counts[declaration.key] == 1]
