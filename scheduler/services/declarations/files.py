"""Declarations in YAML and TOML files, validated with the line of each error."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from scheduler.core.declarations import Declaration, DeclaredInstance, DeclaredObject, OnConflict, read_trigger
from scheduler.errors import SchedulerError, UnusableDeclaration
from scheduler.services.declarations import file_lines
from scheduler.services.declarations.file_lines import Lines
from scheduler.services.declarations.file_shapes import SECTIONS, File, InstanceEntry
from scheduler.services.declarations.object_kinds import KINDS

_MOST_ERRORS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything that one file declares."""

    jobs: tuple[Declaration, ...]
    instances: tuple[DeclaredInstance, ...]
    objects: tuple[DeclaredObject, ...]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **File.model_json_schema()}


def read(*, path: Path) -> Contents:
    """
    Return the declarations of one file.

    :raises UnusableDeclaration: naming the file, the line and the value
    """
    document, lines = file_lines.parsed(path)
    try:
        file = File.model_validate(document)
    except ValidationError as error:
        raise UnusableDeclaration(_sentences(path, error, lines)) from None
    return Contents(
        jobs=tuple(_declaration(path, key, entry, lines) for key, entry in file.jobs.items()),
        instances=tuple(_instance(path, key, entry, lines) for key, entry in file.instances.items()),
        objects=tuple(
            _object(path, kind, section, key, entry, lines)
            for kind, section in SECTIONS.items()
            for key, entry in getattr(file, section).items()
        ),
    )


def _sentences(path: Path, error: ValidationError, lines: Lines) -> str:
    problems = error.errors(include_url=False)
    told = []
    for problem in problems[:_MOST_ERRORS]:
        place = problem["loc"]
        known = next((place[:length] for length in range(len(place), -1, -1) if place[:length] in lines), None)
        line = f", line {lines[known]}" if known is not None else ""
        where = ".".join(str(part) for part in place) or "the document"
        told.append(f"{path.name}{line}: {where}: {_sentence(problem)}")
    if len(problems) > _MOST_ERRORS:
        told.append(f"{len(problems) - _MOST_ERRORS} more errors follow.")
    return "\n".join(told)


def _sentence(problem: Any) -> str:
    """Return what is wrong with a value. A key that is unknown is probably a known one, mistyped."""
    place = problem["loc"]
    if problem["type"] == "missing":
        return "It is required."
    if problem["type"] != "extra_forbidden":
        return f"{problem['msg']}."
    known = list(File.model_fields)
    if len(place) > 1:
        known = list(get_args(File.model_fields[place[0]].annotation)[1].model_fields)
    close = difflib.get_close_matches(str(place[-1]), known, n=1)
    return (
        f"The key is unknown. Did you mean “{close[0]}”?"
        if close
        else f"The key is unknown. Allowed: {', '.join(known)}."
    )


def _declaration(path: Path, key: str, entry: Any, lines: Lines) -> Declaration:
    origin = _origin(path, "jobs", key, lines)
    stated = entry.model_dump(exclude_unset=True, exclude={"previous_keys", "on_conflict", "timezone"})
    try:
        stated["trigger"] = read_trigger(entry.trigger, timezone=entry.timezone)
    except SchedulerError as error:
        raise UnusableDeclaration(f"{origin}: jobs.{key}: {error}") from None
    return Declaration(
        key=key,
        definition=stated,
        source=path.name,
        origin=origin,
        previous_keys=tuple(entry.previous_keys),
        on_conflict=OnConflict(entry.on_conflict),
    )


def _origin(path: Path, section: str, key: str, lines: Lines) -> str:
    line = lines.get((section, key))
    return f"{path.name}:{line}" if line else path.name


def _instance(path: Path, key: str, entry: InstanceEntry, lines: Lines) -> DeclaredInstance:
    return DeclaredInstance(
        key=key,
        template=entry.template,
        version=entry.version,
        parameters=entry.parameters,
        source=path.name,
        origin=_origin(path, "instances", key, lines),
        previous_keys=tuple(entry.previous_keys),
        on_conflict=OnConflict(entry.on_conflict),
    )


def _object(path: Path, kind: str, section: str, key: str, entry: BaseModel, lines: Lines) -> DeclaredObject:
    """
    Return a template or a rule, checked: what cannot be used is an error of the file, so that no job is dropped.

    :raises UnusableDeclaration: naming the place and the reason
    """
    origin = _origin(path, section, key, lines)
    definition = entry.model_dump(exclude_unset=True, exclude={"on_conflict"})
    try:
        KINDS[kind].checked(key=key, definition=definition)
    except SchedulerError as error:
        raise UnusableDeclaration(f"{origin}: {section}.{key}: {error}") from None
    on_conflict = OnConflict(getattr(entry, "on_conflict", OnConflict.KEEP))
    return DeclaredObject(
        kind=kind, key=key, definition=definition, source=path.name, origin=origin, on_conflict=on_conflict
    )
