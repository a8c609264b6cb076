"""Rows for templates: tables that people paste, and providers that code registers with ``@rows``."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from scheduler.core.templates import Parameter
from scheduler.errors import DuplicateTask, InvalidParameters, TemplateNotFound

Row = tuple[str, Mapping[str, Any]]
Provider = TypeVar("Provider", bound=Callable[[], Iterable[Row]])

_MOST_ROWS = 100_000
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

_providers: dict[str, Callable[[], Iterable[Row]]] = {}


def rows(name: str) -> Callable[[Provider], Provider]:
    """
    Register a provider: a function that yields the key and the parameters of each instance.

    :raises InvalidParameters: the name has other characters than small letters, digits and hyphens
    :raises DuplicateTask: another function has the name
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,49}", name):
        raise InvalidParameters(f"The provider is called “{name}”. Allowed: small letters, digits and hyphens.")

    def register(function: Provider) -> Provider:
        present = _providers.get(name)
        if present is not None and present.__qualname__ != function.__qualname__:
            raise DuplicateTask(f"Two functions provide the rows “{name}”. Rename one of them.")
        _providers[name] = function
        return function

    return register


def provider(*, name: str) -> Callable[[], Iterable[Row]]:
    """:raises TemplateNotFound: no provider has this name"""
    if name not in _providers:
        known = ", ".join(sorted(_providers)) or "none"
        raise TemplateNotFound(f"No provider is called “{name}”. There are: {known}.")
    return _providers[name]


def names() -> tuple[str, ...]:
    return tuple(sorted(_providers))


def read_table(*, text: str, parameters: Iterable[Parameter]) -> list[Row]:
    """
    Return the rows of a table: CSV, or columns separated by tabs or semicolons, with a heading.

    The column ``key`` names the instance, the others are parameters. An empty cell leaves the default.

    :raises InvalidParameters: naming the line and the column
    """
    known = {each.name: each for each in parameters}
    lines = csv.DictReader(io.StringIO(text.lstrip("\ufeff").strip("\r\n ")), delimiter=_delimiter(text), strict=True)
    heading = [name.strip() for name in lines.fieldnames or ()]
    if "key" not in heading:
        raise InvalidParameters("The table needs a heading with a column “key”.")
    unknown = [name for name in heading if name != "key" and name not in known]
    if unknown:
        raise InvalidParameters(f"The column “{unknown[0]}” is not a parameter. There are: key, {', '.join(known)}.")
    lines.fieldnames = heading
    found: list[Row] = []
    try:
        for line in lines:
            found.append(_row(line, known, lines.line_num))
            if len(found) > _MOST_ROWS:
                raise InvalidParameters(f"The table has more than {_MOST_ROWS:,} rows.")
    except csv.Error as error:
        raise InvalidParameters(f"Line {lines.line_num}: {error}.") from None
    return found


def _delimiter(text: str) -> str:
    heading = text.strip("\r\n ").partition("\n")[0]
    return max("\t;,", key=heading.count)


def _row(line: Mapping[str | Any, Any], known: Mapping[str, Parameter], number: int) -> Row:
    if None in line or any(value is None for value in line.values()):
        raise InvalidParameters(f"Line {number} has another number of columns than the heading.")
    values = {
        name: _value(text.strip(), known[name])
        for name, text in line.items()
        if name != "key" and text is not None and text.strip()
    }
    key = line["key"].strip()
    if not key:
        raise InvalidParameters(f"Line {number} has no key.")
    return key, values


def _value(text: str, parameter: Parameter) -> Any:
    """Return a cell as its type takes it; what does not fit is refused with the other values."""
    if parameter.type == "list":
        return [part.strip() for part in text.split("|") if part.strip()]
    if parameter.type == "boolean":
        return _WORDS.get(text.lower(), text)
    if parameter.choices:
        return next((choice for choice in parameter.choices if str(choice) == text), text)
    return text
