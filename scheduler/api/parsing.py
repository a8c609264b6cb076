"""Reading requests: bodies and query parameters into shapes, with a named problem for everything that does not fit."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from rest_framework.request import Request

from scheduler.api.shapes import LARGEST_ID
from scheduler.errors import InvalidRequest, SchedulerError, WrongContentType

Shape = TypeVar("Shape", bound=BaseModel)


def body(request: Request, shape: type[Shape]) -> Shape:
    """
    Read the body as JSON of this shape. An empty body is an empty object.

    :raises WrongContentType, InvalidRequest, RequestDataTooBig: it cannot be used
    """
    raw = request._request.body
    if not raw.strip():
        raw = b"{}"
    elif request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise WrongContentType
    try:
        found = shape.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise _invalid(error, place="pointer") from None
    refuse_nul(found.model_dump())
    return found


def row_id(text: str, *, missing: type[SchedulerError]) -> int:
    """
    Return the number in an address.

    :raises SchedulerError: ``missing``, because no row has a number as large
    """
    number = int(text)
    if number > LARGEST_ID:
        raise missing()
    return number


def query(request: Request, shape: type[Shape]) -> Shape:
    """
    Read the query parameters in this shape.

    :raises InvalidRequest: one is unknown, given twice, or has a value that cannot be used
    """
    known = {field.alias or name: field for name, field in shape.model_fields.items()}
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise InvalidRequest(
            f"Unknown query parameters: {', '.join(unknown)}.",
            problems=tuple(
                {"parameter": name, "code": "unknown_parameter", "detail": _unknown(name, sorted(known))}
                for name in unknown
            ),
        )
    values: dict[str, Any] = {}
    for name in request.query_params:
        given = request.query_params.getlist(name)
        if (known[name].json_schema_extra or {}).get("repeatable"):  # type: ignore[union-attr]
            values[name] = [part for value in given for part in value.split(",")]
        elif len(given) > 1:
            raise InvalidRequest(
                f"The query parameter “{name}” is given more than once.",
                problems=({"parameter": name, "code": "given_twice", "detail": f"Give {name} once."},),
            )
        else:
            values[name] = given[0]
    refuse_nul(values)
    try:
        return shape.model_validate(values)
    except ValidationError as error:
        raise _invalid(error, place="parameter") from None


def refuse_nul(value: Any) -> None:
    """:raises InvalidRequest: a text holds a character that PostgreSQL cannot store"""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidRequest("A text holds the character NUL, which cannot be stored.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_nul(key)
            refuse_nul(item)
    elif isinstance(value, Sequence):
        for item in value:
            refuse_nul(item)


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean “{close[0]}”?" if close else f" There are: {', '.join(known) or 'none'}."
    return f"There is no parameter “{name}”.{hint}"


def _invalid(error: ValidationError, *, place: str) -> InvalidRequest:
    problems = []
    for item in error.errors(include_url=False, include_context=False):
        parts = [str(part).replace("~", "~0").replace("/", "~1") for part in item["loc"]]
        where = "/" + "/".join(parts) if place == "pointer" and parts else "".join(parts[:1])
        # An item of a list is called by the name of the list: its number alone says nothing.
        named = [part for part in item["loc"] if isinstance(part, str)]
        name = named[-1] if named else ""
        text = {"missing": "is required", "extra_forbidden": "is not known here"}.get(item["type"])
        shown = "" if text or item["type"] == "json_invalid" else f" ({_shown(item['input'])})"
        detail = f"{name or 'The body'}{shown}: {item['msg']}." if text is None else f"“{name}” {text}."
        problems.append({place: where, "code": item["type"], "detail": detail})
    return InvalidRequest(" ".join(problem["detail"] for problem in problems[:5]), problems=tuple(problems[:50]))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"“{text[:60]}…”" if len(text) > 61 else f"“{text}”"
