"""Collect declarations from code and files. Unreadable ones become errors of their source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from scheduler import conf, schedules
from scheduler.core.declarations import Declaration, DeclaredInstance, DeclaredObject, OnConflict, read_trigger
from scheduler.core.jobs import ids
from scheduler.core.tasks.registry import registry
from scheduler.errors import SchedulerError, UnusableDeclaration

if TYPE_CHECKING:
    from scheduler.services.declarations.files import Contents

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

    objects: tuple[DeclaredObject, ...] = ()
    """Templates and alert rules."""

    instances: tuple[DeclaredInstance, ...] = ()
    """Instances of templates, which become declarations when the versions of their templates are known."""

    owner: str = ""
    """The owner of these declarations. Only jobs of the same owner can be dropped."""

    is_complete: bool = True
    """Whether jobs of this owner that are missing here count as dropped."""


def collect() -> Collected:
    """Return the declarations of the loaded code and of the files in ``SCHEDULER["DECLARATIONS"]``."""
    found: list[Declaration] = []
    objects: list[DeclaredObject] = []
    instances: list[DeclaredInstance] = []
    errors: list[LoadError] = []
    for registered in schedules.registered():
        try:
            found.append(_declared(registered))
        except SchedulerError as error:
            errors.append(LoadError(source=CODE, origin=_origin(registered), text=str(error)))
    for path in conf.get().declarations:
        try:
            contents = _read(Path(path))
        except UnusableDeclaration as error:
            errors.append(LoadError(source=Path(path).name, origin=Path(path).name, text=str(error)))
            continue
        found += contents.jobs
        objects += contents.objects
        instances += contents.instances
    origins = _origins((*found, *instances))
    return Collected(
        declarations=tuple(_once(_with_ids(found, errors), origins, errors)),
        instances=tuple(_once(_with_ids(instances, errors), origins, errors)),
        objects=tuple(_once_of_kind(objects, errors)),
        errors=tuple(errors),
    )


def _read(path: Path) -> Contents:
    """Read a file. Its formats and shapes take a twentieth of the start of a process that declares no file."""
    from scheduler.services.declarations import files

    return files.read(path=path)


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
    if isinstance(task, str):
        return task
    function = getattr(task, "func", task)  # a task of django.tasks has its function
    return f"{function.__module__}.{getattr(function, '__qualname__', function)}"


class _Declared(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def origin(self) -> str: ...


Declared = TypeVar("Declared", bound=_Declared)


def _origins(found: Iterable[_Declared]) -> dict[str, list[str]]:
    origins: dict[str, list[str]] = {}
    for each in found:
        origins.setdefault(each.key, []).append(each.origin)
    return origins


def _with_ids(found: Iterable[Declared], errors: list[LoadError]) -> Iterator[Declared]:
    """Leave out what has a key that cannot be the id of a job, with an error for each."""
    for each in found:
        try:
            ids.checked(each.key)
        except SchedulerError as error:
            errors.append(LoadError(source=each.source, origin=each.origin, text=error.message))
        else:
            yield each


def _once(found: Iterable[Declared], origins: Mapping[str, list[str]], errors: list[LoadError]) -> list[Declared]:
    """Leave out what shares a key, with an error for each."""
    alone: list[Declared] = []
    for each in found:
        places = origins[each.key]
        if len(places) == 1:
            alone.append(each)
            continue
        where = ", ".join(sorted(set(places)))
        text = f"The key “{each.key}” is declared {len(places)} times: {where}. Give each a key of its own."
        errors.append(LoadError(source=each.source, origin=each.origin, text=text))
    return alone


def _once_of_kind(found: Iterable[DeclaredObject], errors: list[LoadError]) -> list[DeclaredObject]:
    found = list(found)
    groups = [[each for each in found if each.kind == kind] for kind in dict.fromkeys(each.kind for each in found)]
    return [each for group in groups for each in _once(group, _origins(group), errors)]
