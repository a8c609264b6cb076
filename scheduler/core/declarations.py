"""
Declared jobs, and the three-way merge that keeps a person's edits.

A declaration is a job that code or a file describes. Synchronising compares, for each field, the value declared at the
last synchronisation, the value declared now, and the value stored in the job:

* only the source changed it: the new value is written.
* only a person changed it: the stored value stays, and the field is reported as drift.
* both changed it: ``on_conflict`` of the declaration decides, and the plan reports the conflict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from scheduler.core.definition import POLICIES
from scheduler.errors import UnusableDeclaration
from scheduler.messages import phrase

FIELDS = ("task", "args", "trigger", "name", "description", "tags", *POLICIES)
"""Fields that are compared as a whole. Arguments are compared one by one, as ``kwargs.NAME``."""

_ARGUMENT = "kwargs."


class OnConflict(StrEnum):
    """The value that wins when the source and a person both changed a field."""

    KEEP = "keep"
    """The stored value stays, as drift."""

    DECLARED = "declared"
    """The declared value is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One job as its source describes it."""

    key: str
    """Stable name of the declaration. Also the id of a job that is created for it."""

    definition: Mapping[str, Any]
    """The fields that the source states: always ``task`` and ``trigger``."""

    source: str
    """Where it comes from: ``code``, or the name of a file. Disappeared declarations are detected for each source."""

    origin: str
    """The place inside the source, for errors: a function, or a file with its line."""

    previous_keys: tuple[str, ...] = ()
    """Former names: the job of one of them is kept and renamed."""

    on_conflict: OnConflict = OnConflict.KEEP

    owner: str = ""
    """The owner that synchronises it: the deployment (empty), a template or a provider of rows. A key has one owner."""

    template_version: int | None = None
    """Of an instance of a template: the primary key of the version that it was rendered with."""

    parameters: Mapping[str, Any] | None = None
    """Of an instance of a template: the values, with sealed secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredInstance:
    """An instance of a template as a file describes it. It becomes a declaration with a version of the template."""

    key: str
    template: str
    """The slug."""

    version: int | None
    """``None``: the newest."""

    parameters: Mapping[str, Any]
    source: str
    origin: str
    previous_keys: tuple[str, ...] = ()
    on_conflict: OnConflict = OnConflict.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredObject:
    """A calendar, a template or an alert rule as its source describes it."""

    kind: str
    """``calendar``, ``template`` or ``alert_rule``."""

    key: str
    """The slug of a template, the name of a calendar or a rule."""

    definition: Mapping[str, Any]
    source: str
    origin: str
    on_conflict: OnConflict = OnConflict.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A field of a declared job that a person changed."""

    field: str
    declared: Any
    stored: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """The outcome of merging one declaration with its job."""

    write: Mapping[str, Any] = field(default_factory=dict)
    """New values, by field. Empty: the job stays as it is."""

    drift: tuple[Drift, ...] = ()
    """Fields whose stored value stays although another one is declared."""

    conflicts: tuple[str, ...] = ()
    """Fields that the source and a person both changed, whoever won."""


def read_trigger(given: Any, *, timezone: str | None) -> dict[str, Any]:
    """
    Return a trigger as JSON: of a cron expression, of a ``timedelta``, or as it is.

    :raises UnusableDeclaration: it is of another type, or a time zone stands beside a trigger that cannot have one
    """
    if isinstance(given, str):
        found: dict[str, Any] = {"type": "cron", "expression": given}
        return found if timezone is None else {**found, "timezone": timezone}
    if isinstance(given, timedelta):
        found = {"type": "interval", "seconds": given.total_seconds()}
    elif isinstance(given, Mapping):
        found = dict(given)
    else:
        raise UnusableDeclaration(
            phrase(
                "The trigger is {value}. Allowed: a cron expression, a timedelta or a trigger as JSON.",
                value=f"{given!r}",
            )
        )
    if timezone is not None:
        raise UnusableDeclaration(phrase("timezone belongs to a cron expression. Write it into the trigger instead."))
    if isinstance(found.get("seconds"), float) and found["seconds"].is_integer():
        found["seconds"] = int(found["seconds"])
    return found


def flatten(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a definition with one entry for each field that is merged by itself."""
    flat = {name: definition[name] for name in FIELDS if name in definition}
    kwargs = definition.get("kwargs")
    if isinstance(kwargs, Mapping):
        flat |= {f"{_ARGUMENT}{name}": value for name, value in kwargs.items()}
    return flat


def unflatten(flat: Mapping[str, Any], *, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the changes of a job that the merged fields amount to.

    ``kwargs`` are the stored arguments, which single arguments are changed in. ``None`` as a value of a field that is
    ``REMOVED`` takes the argument out.
    """
    changes = {name: value for name, value in flat.items() if not name.startswith(_ARGUMENT)}
    arguments = {name.removeprefix(_ARGUMENT): value for name, value in flat.items() if name.startswith(_ARGUMENT)}
    if arguments:
        merged = {**kwargs, **arguments}
        changes["kwargs"] = {name: value for name, value in merged.items() if value is not REMOVED}
    return changes


class _Removed:
    """The value of an argument that is left out."""

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED: Any = _Removed()


def merge(
    *,
    base: Mapping[str, Any] | None,
    declared: Mapping[str, Any],
    stored: Mapping[str, Any],
    default: Callable[[str], Any],
    is_same: Callable[[str, Any, Any], bool],
    on_conflict: OnConflict = OnConflict.KEEP,
) -> Merge:
    """
    Merge one declaration with its job, field by field.

    ``base``: declared at the last synchronisation, ``None`` at the first one of a job that exists already, whose fields
    are all written. ``declared``: now. ``stored``: the job. All are flat. A field that the source does not state counts
    as ``default(field)``. ``is_same(field, declared, stored)`` compares a declared value with a stored one.
    """
    before = base or {}
    write: dict[str, Any] = {}
    drift: list[Drift] = []
    conflicts: list[str] = []
    for name in _in_order({**before, **declared}):
        wanted = declared[name] if name in declared else default(name)
        present = stored.get(name, REMOVED)
        if is_same(name, wanted, present):
            continue
        is_new = name not in before or name not in declared or before[name] != declared[name]
        former = before[name] if name in before else default(name)
        by_person = base is not None and not is_same(name, former, present)
        if is_new and by_person:
            conflicts.append(name)
        if is_new and (not by_person or on_conflict is OnConflict.DECLARED):
            write[name] = wanted
        elif name in declared:
            drift.append(Drift(field=name, declared=wanted, stored=present))
    return Merge(write=write, drift=tuple(drift), conflicts=tuple(conflicts))


def _in_order(names: Mapping[str, Any]) -> Iterator[str]:
    yield from (name for name in FIELDS if name in names)
    yield from sorted(name for name in names if name not in FIELDS)


def is_older(release: str, than: str) -> bool:
    """
    Return whether a release comes before another one: digits count as numbers, so ``1.10`` comes after ``1.9``.

    An empty name is unknown, and is never older.
    """
    return bool(release) and bool(than) and _parts(release) < _parts(than)


def _parts(release: str) -> list[tuple[int, int, str]]:
    return [
        (1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)|[._+-]", release) if part
    ]
