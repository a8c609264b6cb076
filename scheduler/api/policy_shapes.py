"""The policies of a job as pydantic models, made from ``core/definition.py``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, create_model
from pydantic import Field as Member

from scheduler.core.definition import FIELDS, Field, Kind

_TYPES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.WHOLE_NUMBER: int,
    Kind.WHOLE_SECONDS: int,
    Kind.NUMBER: float,
    Kind.YES_NO: bool,
    Kind.CHOICE: str,
}


def validated(name: str, *, base: type[BaseModel]) -> Any:
    """
    Return the shape of a request: every policy with its limits.

    Without a default in its schema: what is not given is left to the job, the task and the settings.
    """
    members: dict[str, Any] = {field.name: (_type(field), _member(field)) for field in FIELDS if field.is_policy}
    return create_model(name, __base__=base, **members)


def plain(name: str) -> Any:
    """Return the shape of an answer: every policy with its type."""
    members: dict[str, Any] = {
        field.name: (_optional(field, _TYPES[field.kind]), Member(description=field.help or None))
        for field in FIELDS
        if field.is_policy
    }
    return create_model(name, **members)


def _type(field: Field) -> Any:
    return _optional(field, Literal[field.choices] if field.kind is Kind.CHOICE else _TYPES[field.kind])


def _optional(field: Field, type_: Any) -> Any:
    return type_ | None if field.may_be_empty else type_


def _member(field: Field) -> Any:
    limits: dict[str, Any] = {"ge": field.low, "le": field.high}
    if field.kind is Kind.TEXT:
        limits = {"min_length": 1, "max_length": field.max_length}
    elif field.kind is Kind.CHOICE:
        limits = {}
    return Member(default_factory=lambda: field.default, description=field.help or None, **limits)
