"""A task: a registered function, its arguments, and its limits."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from scheduler.core import error_messages, hints
from scheduler.core.tasks import docstrings, misfits, signatures
from scheduler.core.tasks.adapters import Adapter
from scheduler.core.tasks.limits import Limits
from scheduler.core.tasks.secrets import is_secret
from scheduler.errors import InvalidArguments
from scheduler.messages import row
from scheduler.untouched import json

DEFAULT_EXECUTOR = "default"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A registered function and what it declares about itself."""

    name: str
    function: Callable[..., Any]
    executor: str = DEFAULT_EXECUTOR
    """Where its jobs run unless they say otherwise."""

    timeout: timedelta | None = None
    """The time limit of a run unless its job sets one. ``None``: unlimited."""

    idempotent: bool = False
    """Running it twice does no harm: it may start without the start gate, and is run again after a crash."""

    secrets_unaffected_by: frozenset[str] = frozenset()
    """Arguments that do not decide where a secret goes: a masked secret stays when only these change."""

    limits: Limits | None = None
    """Limits that its runs share with others by a key. ``None``: it has no limits and no cost."""

    adapter: Adapter | None = None
    """Calls a task of another framework. ``None``: it is one of ours."""

    @property
    def description(self) -> str:
        """The first line of its docstring. Empty if it has none."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0].strip()

    @property
    def documentation(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def reference(self) -> str:
        """``module:qualified.name``, as APScheduler writes a function."""
        return f"{self.function.__module__}:{self.function.__qualname__}"

    @cached_property
    def signature(self) -> inspect.Signature:
        signature = inspect.signature(self.function)
        if self.adapter is not None and self.adapter.takes_context:
            return signature.replace(parameters=list(signature.parameters.values())[1:])
        return signature

    @cached_property
    def takes_nothing(self) -> bool:
        return not self.signature.parameters

    @cached_property
    def _variadic(self) -> str | None:
        """The name of ``*args``, whose values are passed on as they are."""
        for parameter in self.signature.parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                return parameter.name
        return None

    @cached_property
    def _hints(self) -> tuple[dict[str, Any], dict[str, str]]:
        return signatures.hints_of(self.function)

    @cached_property
    def odd_arguments(self) -> dict[str, str]:
        """Arguments whose annotations no job can satisfy, and why."""
        hints, unresolved = self._hints
        model = signatures.model_of(name="any", signature=self.signature, hints={}, odd=unresolved)
        try:
            model = signatures.model_of(name="any", signature=self.signature, hints=hints, odd=unresolved)
            model.model_json_schema()
        except Exception:  # noqa: BLE001 - a type brings code of its own
            return {**unresolved, **signatures.odd_hints(hints)}
        return unresolved

    @cached_property
    def arguments(self) -> type[BaseModel]:
        """The pydantic model of the function's named arguments, made from its annotations."""
        return signatures.model_of(
            name=self.function.__name__, signature=self.signature, hints=self._hints[0], odd=self.odd_arguments
        )

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The names of the arguments that are marked as ``Secret``, in any spelling."""
        return frozenset(name for name, hint in self._hints[0].items() if is_secret(hint))

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the arguments: an object with one property for each."""
        found = self.arguments.model_json_schema()
        for name, text in docstrings.help_of_arguments(self.documentation).items():
            if name in found.get("properties", {}):
                found["properties"][name] = {"description": text, **found["properties"][name]}
        for name in self.secrets & set(found.get("properties", {})):
            # The whole argument is secret, and its default as well.
            part = {key: value for key, value in found["properties"][name].items() if key != "default"}
            found["properties"][name] = {**part, "writeOnly": True, "format": "password"}
        return found

    def names_of(self, args: Sequence[Any]) -> list[str]:
        """Return the names of arguments that are given by position, with empty strings for those of ``*args``."""
        names = [
            parameter.name
            for parameter in self.signature.parameters.values()
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        return [names[place] if place < len(names) else "" for place in range(len(args))]

    def named(self, *, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments by name, with the defaults of the signature; what fits nowhere is left out."""
        defaults = {
            parameter.name: parameter.default
            for parameter in self.signature.parameters.values()
            if parameter.default is not parameter.empty
        }
        given = {name: value for name, value in zip(self.names_of(args), args, strict=True) if name}
        return {**defaults, **given, **kwargs}

    def bind(
        self, *, args: Iterable[Any], kwargs: dict[str, Any], shows_values: bool = True
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """
        Check the arguments and convert them to what the annotations say.

        Returns what to call the function with. ``shows_values``: errors repeat what does not fit.

        :raises InvalidArguments: naming each argument, its value and the reason
        """
        if not args and not kwargs and self.takes_nothing:
            return (), {}
        try:
            bound = self.signature.bind_partial(*args, **kwargs)
        except TypeError as error:
            raise self._misfit(str(error), kwargs) from None
        named = dict(bound.arguments)
        rest = named.pop(self._variadic, ()) if self._variadic else ()
        for parameter in self.signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                named.update(named.pop(parameter.name, {}))
        try:
            model = self.arguments.model_validate(named)
        except ValidationError as error:
            raise self._problems(error, shows_values=shows_values) from None
        given = model.model_fields_set
        values = {
            name: getattr(model, signatures.field_name(name)) for name in named if signatures.field_name(name) in given
        }
        values |= model.model_extra or {}
        return self._call(values, rest)

    def _call(self, values: dict[str, Any], rest: Iterable[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Split by what the signature wants by position. The rest goes by name."""
        positional: list[Any] = []
        for parameter in self.signature.parameters.values():
            by_position = parameter.kind is parameter.POSITIONAL_ONLY or (
                bool(rest) and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            )
            if by_position and parameter.name in values:
                positional.append(values.pop(parameter.name))
        return (*positional, *rest), values

    def _misfit(self, reason: str, kwargs: dict[str, Any]) -> InvalidArguments:
        names = [p.name for p in self.signature.parameters.values() if p.kind is not p.VAR_POSITIONAL]
        unknown = [name for name in kwargs if name not in names]
        if not unknown:
            return InvalidArguments(f"{self.name}: {reason}.", problems=({"pointer": "/args", "detail": reason},))
        problems = []
        for name in unknown:
            close = difflib.get_close_matches(name, names, n=1)
            if close:
                hint = hints.DID_YOU_MEAN(name=close[0])
            elif names:
                hint = hints.TAKES(names=", ".join(names))
            else:
                hint = hints.TAKES_NOTHING()
            no_argument = error_messages.UNKNOWN_ARGUMENT(task=self.name, name=name)
            problems.append(
                {
                    "pointer": f"/kwargs/{name}",
                    "code": "unknown_argument",
                    "detail": row(" ", [no_argument, hint]),
                }
            )
        return InvalidArguments(row(" ", [problem["detail"] for problem in problems]), problems=tuple(problems))

    def _problems(self, error: ValidationError, *, shows_values: bool) -> InvalidArguments:
        problems = []
        for item in error.errors(include_url=False):
            place = "/".join(str(part) for part in item["loc"])
            if item["type"] == "missing":
                detail = error_messages.ARGUMENT_REQUIRED(name=place, task=self.name)
            else:
                is_shown = shows_values and item["loc"][0] not in self.secrets
                value = _shown(item["input"]) if is_shown else "•••"
                if reason := misfits.reason_of(item):
                    detail = error_messages.ARGUMENT_HAS_ANOTHER_TYPE(name=place, value=value, reason=reason)
                else:
                    reason = misfits.message_of(item) if is_shown else item["type"]
                    detail = error_messages.ARGUMENT_DOES_NOT_FIT(name=place, value=value, reason=reason)
            problems.append({"pointer": f"/kwargs/{place}", "code": item["type"], "detail": detail})
        return InvalidArguments(row(" ", [problem["detail"] for problem in problems]), problems=tuple(problems))


def _shown(value: object) -> str:
    text = str(value)
    return f"“{text[:77]}…”" if len(text) > 80 else f"“{text}”"


_encode = json.JSONEncoder(allow_nan=False).encode
"""Made once: ``json.dumps`` makes an encoder in each call that has an option."""


def jsonable(value: object) -> Any:
    """
    Turn arguments into what JSON can hold: dates, UUIDs, Decimals, models become text and objects.

    :raises InvalidArguments: for a value that JSON cannot hold, naming its type
    """
    try:
        converted = to_jsonable_python(value)
        _encode(converted)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise InvalidArguments(error_messages.NOT_JSON(value=_shown(value), reason=f"{error}")) from None
    return converted
