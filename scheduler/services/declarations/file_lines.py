"""YAML, TOML and JSON files, with the line of each value."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

import yaml

from scheduler.errors import UnusableDeclaration

Place = tuple[str | int, ...]
Lines = dict[Place, int]
"""The line of each value, by its path in the document."""

_ENDS = ("]", "}", '"""', "'''")
"""Marks of which one is in the last line of a TOML statement of several lines."""


class Loader(yaml.SafeLoader):
    """YAML whose dates, instants and times of day are texts, as in YAML 1.2: 12:30 is not the number 750."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        tag = super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]
        is_number = tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
        is_text = tag == "tag:yaml.org,2002:timestamp" or (is_number and ":" in value)
        return self.DEFAULT_SCALAR_TAG if is_text else tag


def parsed(path: Path) -> tuple[Any, Lines]:
    """
    Return the document in a file, and the line of each of its values.

    :raises UnusableDeclaration: it cannot be read, naming the line
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise UnusableDeclaration(f"{path.name} cannot be read: {reason}.") from None
    if path.suffix == ".toml":
        return _toml(path, text)
    if path.suffix not in (".yaml", ".yml", ".json"):
        raise UnusableDeclaration(f"{path.name} ends in “{path.suffix}”. Allowed: .yaml, .yml, .json and .toml.")
    try:
        node = yaml.compose(text, Loader=Loader)
        document = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
        lines = dict(_of_yaml(node, ()))
        _refuse_twice(path, node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UnusableDeclaration(f"{path.name}{place} is not valid YAML: {problem}.") from None
    return ({} if document is None else document), lines


def _refuse_twice(path: Path, node: yaml.Node | None) -> None:
    """:raises UnusableDeclaration: a key is there twice, of which YAML would take the last one without a word"""
    if isinstance(node, yaml.MappingNode):
        seen: dict[Any, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen and isinstance(key, yaml.ScalarNode):
                text = f"{path.name}, line {line}: “{key.value}” is there twice, first in line {seen[key.value]}."
                raise UnusableDeclaration(text)
            seen |= {key.value: line} if isinstance(key, yaml.ScalarNode) else {}
            _refuse_twice(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _refuse_twice(path, value)


def _of_yaml(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    if node is None:
        return
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            for inner, line in _of_yaml(value, (*place, key.value)):
                if inner != (*place, key.value):
                    yield inner, line
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _of_yaml(value, (*place, number))


def _toml(path: Path, text: str) -> tuple[Any, Lines]:
    try:
        document = _without_times(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnusableDeclaration(f"{path.name} is not valid TOML: {error}.") from None
    lines: Lines = {}
    for place, line in _of_toml(text):
        for length in range(1, len(place) + 1):  # what a dotted key or a heading begins, too
            lines.setdefault(place[:length], line)
    return document, lines


def _without_times(value: Any) -> Any:
    """Return a value of TOML with its dates, instants and times of day as texts."""
    if isinstance(value, Mapping):
        return {name: _without_times(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_times(inner) for inner in value]
    return value.isoformat() if isinstance(value, date | time) else value


def _of_toml(text: str) -> Iterator[tuple[Place, int]]:
    """
    Yield the line of each key of valid TOML: of a table its heading, of a value its first line.

    ``tomllib`` reports no lines, so each statement is read by itself: it ends where the lines so far are valid.
    """
    table: Place = ()
    counts: dict[Place, int] = {}
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if begun and not any(mark in line for mark in _ENDS):
            begun += line
            continue
        first = first if begun else number
        begun += line
        try:
            statement = tomllib.loads(begun)
        except tomllib.TOMLDecodeError:
            continue
        if begun.lstrip().startswith("["):
            table = _heading(statement, counts)
            yield table, first
        else:
            yield from (((*table, *place), first) for place in _keys(statement, ()))
        begun = ""


def _heading(statement: Mapping[str, Any], counts: dict[Place, int]) -> Place:
    """Return the path of a table from its heading, which is read as nested empty tables."""
    place: Place = ()
    inner: Any = statement
    while isinstance(inner, Mapping) and inner:
        [(name, inner)] = inner.items()
        place = (*place, name)
        if isinstance(inner, list):
            counts[place] = counts.get(place, -1) + 1
            return (*place, counts[place])
        if place in counts:
            place = (*place, counts[place])
    return place


def _keys(value: Any, place: Place) -> Iterator[Place]:
    """Yield the paths inside a value."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*place, name)
        yield from _keys(inner, (*place, name))
