"""Rows for templates: tables that people paste, and providers that code registers with ``@rows``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from scheduler import schedules
from scheduler.core.templates import Parameter
from scheduler.errors import InvalidParameters, TemplateNotFound
from scheduler.messages import phrase
from scheduler.schedules import Row

_MOST_ROWS = 100_000
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def provider(*, name: str) -> schedules.Rows:
    """:raises TemplateNotFound: no provider has this name"""
    known = schedules.providers()
    if name not in known:
        raise TemplateNotFound(
            phrase(
                "There is no provider “{name}”. Available: {names}.",
                name=name[:64],
                names=", ".join(sorted(known)) or "–",
            )
        )
    return known[name]


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
        raise InvalidParameters(phrase("The table needs a heading with a column “key”."))
    unknown = [name for name in heading if name != "key" and name not in known]
    if unknown:
        raise InvalidParameters(
            phrase(
                "The column “{name}” is not a parameter. There are: {names}.",
                name=unknown[0],
                names=", ".join(("key", *known)),
            )
        )
    lines.fieldnames = heading
    found: list[Row] = []
    try:
        for line in lines:
            found.append(_row(line, known, lines.line_num))
            if len(found) > _MOST_ROWS:
                raise InvalidParameters(phrase("The table has more than {most:,} rows.", most=_MOST_ROWS))
    except csv.Error as error:
        raise InvalidParameters(phrase("Line {line}: {problem}.", line=lines.line_num, problem=f"{error}")) from None
    return found


def _delimiter(text: str) -> str:
    heading = text.strip("\r\n ").partition("\n")[0]
    return max("\t;,", key=heading.count)


def _row(line: Mapping[str | Any, Any], known: Mapping[str, Parameter], number: int) -> Row:
    if None in line or any(value is None for value in line.values()):
        raise InvalidParameters(phrase("Line {line} has another number of columns than the heading.", line=number))
    values = {
        name: _value(text.strip(), known[name])
        for name, text in line.items()
        if name != "key" and text is not None and text.strip()
    }
    key = line["key"].strip()
    if not key:
        raise InvalidParameters(phrase("Line {line} has no key.", line=number))
    return key, values


def _value(text: str, parameter: Parameter) -> Any:
    """Return a cell as its type takes it. Misfits are rejected together with the other values."""
    if parameter.type == "list":
        return [part.strip() for part in text.split("|") if part.strip()]
    if parameter.type == "boolean":
        return _WORDS.get(text.lower(), text)
    if parameter.choices:
        return next((choice for choice in parameter.choices if str(choice) == text), text)
    return text
