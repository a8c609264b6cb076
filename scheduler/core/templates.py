"""
Templates: a job definition with typed parameters.

**Parameters** are a list of objects::

    {"name": "url", "type": "url", "description": "The feed to read."}
    {"name": "days", "type": "integer", "default": 7, "minimum": 1, "maximum": 365}
    {"name": "level", "type": "text", "choices": ["info", "warning"], "default": "info"}
    {"name": "token", "type": "secret"}

A parameter without a default is required.

**The body** is a job definition whose texts may hold ``{name}``, in values and in the names of tags. A text that is one
placeholder alone takes the value with its type. Inside a longer text the value is written as text. ``{{`` and ``}}``
stand for braces. Expressions are not supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, ValidationError, create_model

from scheduler.core.declarations import read_trigger
from scheduler.core.definition import POLICIES
from scheduler.core.tasks import misfits
from scheduler.errors import InvalidParameters, InvalidTemplate
from scheduler.messages import phrase, row

BODY_FIELDS = ("task", "trigger", "timezone", "args", "kwargs", "name", "description", "tags", *POLICIES)

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_MOST_PARAMETERS = 50

TYPES: dict[str, Any] = {
    "text": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "date": date,
    "url": AnyHttpUrl,
    "list": list[str],
    "secret": str,
}
"""The type of a parameter, and the annotation that its values are checked with."""


class _Parameter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,49}$")]
    type: Literal["text", "integer", "number", "boolean", "date", "url", "list", "secret"] = "text"
    title: Annotated[str, Field(max_length=100)] = ""
    description: Annotated[str, Field(max_length=1000)] = ""
    default: Any = None
    choices: Annotated[list[Any], Field(max_length=200)] | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a template."""

    name: str
    type: str = "text"
    title: str = ""
    description: str = ""
    default: Any = None
    is_required: bool = True
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_secret(self) -> bool:
        return self.type == "secret"

    def as_json(self) -> dict[str, Any]:
        """Return the form that is stored."""
        shown = {
            "name": self.name,
            "type": self.type,
            "title": self.title,
            "description": self.description,
            "choices": list(self.choices),
            "minimum": self.minimum,
            "maximum": self.maximum,
        }
        found = {name: value for name, value in shown.items() if value not in ("", None, [])}
        return found if self.is_required else {**found, "default": self.default}


def read_parameters(given: Any) -> tuple[Parameter, ...]:
    """
    Return the parameters of a template.

    :raises InvalidTemplate: naming the parameter and what is wrong with it
    """
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) > _MOST_PARAMETERS:
        raise InvalidTemplate(phrase("The parameters are a list of at most {most} objects.", most=_MOST_PARAMETERS))
    found = tuple(_parameter(place, each) for place, each in enumerate(given))
    names = [parameter.name for parameter in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidTemplate(phrase("The parameter “{name}” is defined twice.", name=twice[0]))
    model = _model(found)
    for parameter in found:
        if not parameter.is_required:
            _checked(model, {parameter.name: parameter.default}, only=parameter.name)
    return found


def _parameter(place: int, given: Any) -> Parameter:
    try:
        read = _Parameter.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "it"
        raise InvalidTemplate(
            phrase("Parameter {place}: {name}: {reason}.", place=place + 1, name=where, reason=_reason(problem))
        ) from None
    return Parameter(
        name=read.name,
        type=read.type,
        title=read.title,
        description=read.description,
        default=read.default,
        is_required="default" not in read.model_fields_set,
        choices=tuple(read.choices or ()),
        minimum=read.minimum,
        maximum=read.maximum,
    )


def _model(parameters: Sequence[Parameter]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for each in parameters:
        kind: Any = Literal[each.choices] if each.choices else TYPES[each.type]
        limits: dict[str, Any] = {
            name: value
            for name, value in (("ge", each.minimum), ("le", each.maximum))
            if value is not None and each.type in ("integer", "number")
        }
        extra: Any = {"writeOnly": True, "format": "password"} if each.is_secret else None
        field = Field(
            ... if each.is_required else each.default,
            title=each.title or None,
            description=each.description or None,
            json_schema_extra=extra,
            **limits,
        )
        fields[each.name] = (kind if each.is_required else kind | None if each.default is None else kind, field)
    return create_model("Parameters", __config__=ConfigDict(extra="forbid"), **fields)


def schema(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the JSON Schema of the parameters: an object with one property for each."""
    return _model(parameters).model_json_schema()


def check_values(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the value of every parameter as JSON, defaults included.

    :raises InvalidParameters: naming the parameter, its value and the reason
    """
    return _checked(_model(parameters), given)


def _checked(model: type[BaseModel], given: Mapping[str, Any], *, only: str | None = None) -> dict[str, Any]:
    try:
        return model.model_validate(dict(given)).model_dump(mode="json")
    except ValidationError as error:
        problems = [
            each for each in error.errors(include_url=False) if only is None or (each["loc"] and each["loc"][0] == only)
        ]
    if not problems:
        return {}
    texts = [
        phrase("{name}: {reason}.", name=".".join(map(str, each["loc"])), reason=_reason(each)) for each in problems
    ]
    if only is not None:
        raise InvalidTemplate(phrase("The default of {problem}", problem=texts[0]))
    details = tuple(
        {"pointer": f"/parameters/{'/'.join(map(str, each['loc']))}", "code": each["type"], "detail": text}
        for each, text in zip(problems, texts, strict=True)
    )
    raise InvalidParameters(row(" ", texts), problems=details)


def _reason(problem: Mapping[str, Any]) -> str:
    known = misfits.reason_of(problem)
    if known is None:
        return misfits.message_of(problem)
    return phrase("“{value}” {reason}", value=str(problem["input"])[:80], reason=known)


def check_body(body: Any, parameters: Sequence[Parameter]) -> None:
    """
    Check that a body is a definition whose placeholders are all parameters.

    :raises InvalidTemplate: naming the field or the placeholder
    """
    if not isinstance(body, Mapping):
        raise InvalidTemplate(phrase("The body is an object: the definition of a job."))
    unknown = sorted(set(body) - set(BODY_FIELDS))
    if unknown:
        raise InvalidTemplate(
            phrase("A job has no field “{name}”. Allowed: {names}.", name=f"{unknown[0]}", names=", ".join(BODY_FIELDS))
        )
    for name in ("task", "trigger"):
        if name not in body:
            raise InvalidTemplate(phrase("The body needs “{name}”.", name=name))
    known = {parameter.name for parameter in parameters}
    used = set(_placeholders(body))
    missing = sorted(used - known)
    if missing:
        raise InvalidTemplate(
            phrase("The body uses {placeholder}, and no parameter has this name.", placeholder=f"{{{missing[0]}}}")
        )
    secret = {parameter.name for parameter in parameters if parameter.is_secret}
    outside = {name: value for name, value in body.items() if name not in ("args", "kwargs")}
    leaked = sorted(secret & set(_placeholders(outside)))
    if leaked:
        raise InvalidTemplate(
            phrase(
                "The secret {placeholder} may stand in arguments only: everything else is shown.",
                placeholder=f"{{{leaked[0]}}}",
            )
        )


def _placeholders(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        for match in _PLACEHOLDER.finditer(value):
            yield from _name(match, value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _placeholders(name)
            yield from _placeholders(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _placeholders(inner)


def _name(match: re.Match[str], text: str) -> Iterator[str]:
    if match[0] in ("{{", "}}"):
        return
    if match[1] is None or not _NAME.fullmatch(match[1]):
        raise InvalidTemplate(
            phrase(
                "“{text}” holds {found}: a placeholder is {example} alone. Write {opening} or {closing} for braces.",
                text=text[:80],
                found=match[0][:40],
                example="{name}",
                opening="{{",
                closing="}}",
            )
        )
    yield match[1]


def render(body: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the job definition that a body and the values of its parameters make."""
    found = {name: _filled(value, values) for name, value in body.items()}
    found["trigger"] = read_trigger(found["trigger"], timezone=found.pop("timezone", None))
    return found


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        whole = re.fullmatch(r"\{([a-z][a-z0-9_]*)\}", value)
        if whole:
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda match: _written(match, values), value)
    if isinstance(value, Mapping):
        return {_filled_name(name, values): _filled(inner, values) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, values) for inner in value]
    return value


def _filled_name(name: str, values: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: _written(match, values), name)


def _written(match: re.Match[str], values: Mapping[str, Any]) -> str:
    if match[0] in ("{{", "}}"):
        return match[0][0]
    value = values[match[1]]
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
