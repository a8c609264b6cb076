"""Declarations in YAML and TOML files, validated with the line of each error."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from scheduler.core.declarations import Declaration, OnConflict, read_trigger
from scheduler.core.definition import POLICIES
from scheduler.errors import SchedulerError, UnusableDeclaration

_MOST_ERRORS = 10


class _Entry(BaseModel):
    """One job of a file."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[str, Field(min_length=1, description="The name of a registered task.")]
    trigger: Annotated[
        str | dict[str, Any], Field(description="A cron expression of five or six fields, or a trigger as an object.")
    ]
    timezone: Annotated[str | None, Field(description="The time zone of a cron expression, e.g. Europe/Berlin.")] = None
    args: Annotated[list[Any] | None, Field(description="Positional arguments of the task.")] = None
    kwargs: Annotated[dict[str, Any] | None, Field(description="Arguments of the task by name.")] = None
    name: Annotated[str | None, Field(description="The name that people see. Default: the key.")] = None
    description: Annotated[str | None, Field(description="What the job is for, and what to do when it fails.")] = None
    tags: Annotated[list[str] | None, Field(description="Words to find it by.")] = None
    previous_keys: Annotated[list[str], Field(description="Former keys: the job is kept and renamed.")] = []
    on_conflict: Annotated[
        Literal["keep", "declared"],
        Field(description="Whose value counts where the file and a person both changed a field."),
    ] = "keep"


_Job = create_model("Job", __base__=_Entry, **dict.fromkeys(POLICIES, (Any, None)))  # type: ignore[call-overload]


class File(BaseModel):
    """The jobs of a file, by key."""

    model_config = ConfigDict(extra="forbid")

    jobs: dict[str, _Job] = {}  # type: ignore[valid-type]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **File.model_json_schema()}


def read(*, path: Path) -> list[Declaration]:
    """
    Return the declarations of one file.

    :raises UnusableDeclaration: naming the file, the line and the value
    """
    document, lines = _parsed(path)
    try:
        file = File.model_validate(document)
    except ValidationError as error:
        raise UnusableDeclaration(_sentences(path, error, lines)) from None
    return [_declaration(path, key, entry, lines) for key, entry in file.jobs.items()]


_Lines = dict[tuple[str | int, ...], int]


def _parsed(path: Path) -> tuple[Any, _Lines]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UnusableDeclaration(f"{path.name} cannot be read: {reason}.") from None
    if path.suffix == ".toml":
        try:
            return tomllib.loads(text), {}
        except tomllib.TOMLDecodeError as error:
            raise UnusableDeclaration(f"{path.name} is not valid TOML: {error}.") from None
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise UnusableDeclaration(f"{path.name} ends in “{path.suffix}”. Allowed: .yaml, .yml, .json and .toml.")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UnusableDeclaration(f"{path.name}{place} is not valid YAML: {problem}.") from None
    return ({} if document is None else document), dict(_lines(node, ()))


def _lines(node: yaml.Node | None, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The line of each value, by its path in the document."""
    if node is None:
        return
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            for inner, line in _lines(value, (*place, key.value)):
                if inner != (*place, key.value):
                    yield inner, line
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*place, number))


def _sentences(path: Path, error: ValidationError, lines: _Lines) -> str:
    problems = error.errors(include_url=False)
    told = []
    for problem in problems[:_MOST_ERRORS]:
        place = problem["loc"]
        known = next((place[:length] for length in range(len(place), -1, -1) if place[:length] in lines), None)
        line = f", line {lines[known]}" if known is not None else ""
        told.append(f"{path.name}{line}: {'.'.join(str(part) for part in place) or 'the document'}: {problem['msg']}.")
    if len(problems) > _MOST_ERRORS:
        told.append(f"{len(problems) - _MOST_ERRORS} more errors follow.")
    return "\n".join(told)


def _declaration(path: Path, key: str, entry: Any, lines: _Lines) -> Declaration:
    line = lines.get(("jobs", key))
    origin = f"{path.name}:{line}" if line else path.name
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
