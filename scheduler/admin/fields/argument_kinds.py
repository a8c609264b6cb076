"""
One field for each argument of a task: its kind from the JSON Schema, its text for a value, and its value for a text.

A kind gives back each value that it can show. Values that it cannot show are edited as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from scheduler.admin.fields.duration_field import not_a_duration
from scheduler.admin.format import display
from scheduler.core import durations
from scheduler.core.tasks.task import Task

LONG_KINDS = frozenset({"lines", "pairs", "json", "multiline"})
"""Their fields have several lines."""

_SIMPLE = {"integer": "integer", "number": "number", "boolean": "boolean"}
_FORMATS = {
    "date": "date",
    "date-time": "datetime",
    "duration": "duration",
    "password": "secret",
    "multiline": "multiline",
}
_JSON_TYPES: dict[str, Any] = {"array": list, "object": dict, "integer": int, "number": (int, float), "boolean": bool}
_ISO = re.compile(r"[-+]?P[\dT]", re.IGNORECASE)
_PAIR = re.compile(r"([^:\n]*[^:\s]):[ \t]*(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    name: str
    kind: str
    """``text multiline integer number boolean choice date datetime duration secret lines pairs mixed json``"""

    is_required: bool
    default: str
    """The default value as it would be typed, or an empty text."""

    hint: str
    choices: tuple[tuple[str, str], ...] = ()
    """Values as JSON, and their texts."""

    types: tuple[str, ...] = ()
    """The JSON types beside text that a mixed argument takes."""


def arguments_of(task: Task) -> list[Argument]:
    schema = task.schema
    required = set(schema.get("required", ()))
    definitions = schema.get("$defs", {})
    return [
        _argument(name, _resolved(part, definitions), is_required=name in required)
        for name, part in schema.get("properties", {}).items()
    ]


def _resolved(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Follow references, and see through “or null”: an empty field says that."""
    found = dict(part)
    if "$ref" in found:
        found |= definitions.get(found["$ref"].rsplit("/", 1)[-1], {})
    if "anyOf" in found:
        others = [option for option in found["anyOf"] if option.get("type") != "null"]
        # A Decimal is a number or a text that looks like one.
        if len(others) == 2 and {option.get("type") for option in others} == {"number", "string"}:
            others = [{"type": "string"}]
        kinds = {str(option.get("type")) for option in others}
        if len(others) == 1:
            outer = {name: value for name, value in found.items() if name != "anyOf"}
            found = _resolved(others[0], definitions) | outer
        elif "string" in kinds and not any("enum" in option for option in others):
            found = {**found, "type": "mixed", "types": sorted(kinds - {"string", "None"})}
        else:
            found = {**found, "type": "any"}
    if "items" in found:
        found["items"] = _resolved(found["items"], definitions)
    return found


def _argument(name: str, part: Mapping[str, Any], *, is_required: bool) -> Argument:
    kind = part.get("type")
    values = part.get("enum") or ([part["const"]] if "const" in part else None)
    if part.get("writeOnly"):
        shown = "secret"
    elif values:
        shown = "choice"
    elif kind == "string":
        shown = _FORMATS.get(part.get("format", ""), "text")
    elif kind == "array" and part.get("items", {}).get("type") == "string":
        shown = "lines"
    elif (
        kind == "object" and isinstance(more := part.get("additionalProperties"), dict) and more.get("type") == "string"
    ):
        shown = "pairs"
    elif kind == "mixed":
        shown = "mixed"
    else:
        shown = _SIMPLE.get(str(kind), "json")
    argument = Argument(
        name=name,
        kind=shown,
        is_required=is_required,
        default="",
        hint=_(text) if (text := str(part.get("description", ""))) else "",
        choices=tuple((json.dumps(value), str(value)) for value in values or ()),
        types=tuple(part.get("types", ())),
    )
    return argument if part.get("default") is None else replace(argument, default=_default(argument, part["default"]))


def _default(argument: Argument, value: Any) -> str:
    """A default as it would be typed into the field. A choice shows it as it reads."""
    if argument.kind in ("choice", "boolean"):
        return value if isinstance(value, str) else json.dumps(value)
    return _text(argument, value)


def _text(argument: Argument, value: Any) -> str:
    """A value as it stands in its field."""
    if value is None or argument.kind == "secret":
        return ""
    if argument.kind in _WRITERS and (text := _WRITERS[argument.kind](argument, value)) is not None:
        return text
    if argument.kind in ("choice", "boolean", "json"):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write_lines(_argument: Argument, value: Any) -> str | None:
    return "\n".join(map(str, value)) if isinstance(value, list) else None


def _write_pairs(_argument: Argument, value: Any) -> str | None:
    return "\n".join(f"{name}: {text}" for name, text in value.items()) if isinstance(value, dict) else None


def _write_duration(argument: Argument, value: Any) -> str | None:
    """“2 h” for ``PT2H``, if that is what “2 h” is stored as."""
    try:
        said = durations.render(durations.seconds(value)) if isinstance(value, str) else None
    except durations.NotADuration:
        return None
    return said if said is not None and value_of(argument, said) == value else None


def _write_mixed(argument: Argument, value: Any) -> str | None:
    """A text without quotes, unless it would be read as something else."""
    is_plain = isinstance(value, str) and _read_mixed(argument, value) == value
    return value if is_plain else json.dumps(value, ensure_ascii=False)


_WRITERS = {
    "lines": _write_lines,
    "pairs": _write_pairs,
    "duration": _write_duration,
    "mixed": _write_mixed,
}


def _fits(argument: Argument, value: Any) -> bool:
    """Return whether the field of an argument gives this value back as it is."""
    if argument.kind == "secret":
        return isinstance(value, str)
    text = _text(argument, value)
    may_have_lines = argument.kind in (*LONG_KINDS, "text")
    if not text.strip() or "\r" in text or ("\n" in text and not may_have_lines):
        return False  # an empty field leaves the argument out, and a field of one line joins the lines
    try:
        again = value_of(argument, text)
    except ValidationError:
        return False
    return json.dumps(again) == json.dumps(value)


def as_fields(offered: list[Argument], values: Any) -> dict[str, str] | None:
    """Return the texts of the fields, by argument. ``None``: a value has no field that can show it."""
    known = {argument.name: argument for argument in offered}
    if not isinstance(values, Mapping) or not all(
        name in known and _fits(known[name], value) for name, value in values.items()
    ):
        return None
    return {
        name: ("" if value == display.MASK else value) if known[name].kind == "secret" else _text(known[name], value)
        for name, value in values.items()
    }


def value_of(argument: Argument, text: str) -> Any:
    """
    The value of a field's text. Invalid text stays text, and the types of the task reject it.

    :raises ValidationError: the text has not the form that this kind of field needs
    """
    if argument.kind in _READERS:
        return _READERS[argument.kind](argument, text)
    if argument.kind in ("integer", "number", "boolean", "choice"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _refused(argument: Argument, sentence: str) -> ValidationError:
    return ValidationError(f"{argument.name}: {sentence}", code="invalid")


def _read_json(argument: Argument, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise _refused(argument, _("the value is not valid JSON.")) from None


def _read_lines(_argument: Argument, text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_pairs(argument: Argument, text: str) -> Any:
    """``Name: value``, one a line, or a JSON object."""
    if text.lstrip().startswith("{"):
        return _read_json(argument, text)
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        if not (match := _PAIR.fullmatch(line.strip())):
            raise _refused(argument, _("“%s” is not a name and a value. Write “Name: value”.") % line.strip()[:60])
        found[match[1]] = match[2]
    return found


def _read_duration(argument: Argument, text: str) -> Any:
    """A number alone stays a number, and what is ISO 8601 already stays as it is written."""
    text = text.strip()
    if _ISO.match(text):
        return text
    try:
        seconds = durations.seconds(text)
    except durations.NotADuration:
        raise not_a_duration(text, label=argument.name) from None
    try:
        return json.loads(text)
    except ValueError:
        return durations.iso(seconds)


def _read_mixed(argument: Argument, text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    fits = any(isinstance(value, _JSON_TYPES[name]) for name in argument.types if name in _JSON_TYPES)
    return value if fits or isinstance(value, str) else text


def _read_secret(_argument: Argument, text: str) -> Any:
    """A secret is a text, or an object or a list as JSON."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_READERS = {
    "json": _read_json,
    "lines": _read_lines,
    "pairs": _read_pairs,
    "duration": _read_duration,
    "mixed": _read_mixed,
    "secret": _read_secret,
}
