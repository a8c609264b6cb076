"""
The registry of tasks: which functions may be run, under which name, with which arguments.

Only these functions can be executed. A name in the database is looked up here and never imported.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar, overload

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from scheduler.core import error_messages, hints
from scheduler.core.tasks import docstrings, limits, misfits, signatures
from scheduler.core.tasks.limits import Limits
from scheduler.core.tasks.secrets import Secret, is_secret, revealed
from scheduler.errors import DuplicateTask, InvalidArguments, InvalidTask, UnknownTask
from scheduler.messages import row

Function = TypeVar("Function", bound=Callable[..., Any])

__all__ = [
    "DEFAULT_EXECUTOR",
    "NODE_EXECUTORS",
    "Registry",
    "Secret",
    "Task",
    "jsonable",
    "registry",
    "revealed",
    "task",
]

DEFAULT_EXECUTOR = "default"
NODE_EXECUTORS = frozenset({DEFAULT_EXECUTOR, "processpool"})
"""Those that every node can have."""


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
    """Limits that its runs share with others by a key. ``None``: it has none, and costs nothing."""

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
        return inspect.signature(self.function)

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
                    reason = misfits.own_words(item) if is_shown else item["type"]
                    detail = error_messages.ARGUMENT_DOES_NOT_FIT(name=place, value=value, reason=reason)
            problems.append({"pointer": f"/kwargs/{place}", "code": item["type"], "detail": detail})
        return InvalidArguments(row(" ", [problem["detail"] for problem in problems]), problems=tuple(problems))


def _shown(value: object) -> str:
    text = str(value)
    return f"“{text[:77]}…”" if len(text) > 80 else f"“{text}”"


def jsonable(value: object) -> Any:
    """
    Turn arguments into what JSON can hold: dates, UUIDs, Decimals, models become text and objects.

    :raises InvalidArguments: for a value that JSON cannot hold, naming its type
    """
    try:
        converted = to_jsonable_python(value)
        json.dumps(converted, allow_nan=False)
    except (PydanticSerializationError, ValueError, TypeError) as error:
        raise InvalidArguments(error_messages.NOT_JSON(value=_shown(value), reason=f"{error}")) from None
    return converted


class Registry:
    """Tasks by name. The functions of allowed modules count as tasks named ``module:function``."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._names: dict[Callable[..., Any], str] = {}
        self._modules: tuple[str, ...] = ()

    def allow_modules(self, modules: Iterable[str]) -> None:
        """
        Let every function of these modules be scheduled by its reference.

        :raises ImportError: a module does not exist
        """
        self._modules = tuple(modules)
        for module in self._modules:
            for name, function in vars(importlib.import_module(module)).items():
                if inspect.isfunction(function) and function.__module__ == module and not name.startswith("_"):
                    self._from_allowed_module(f"{module}:{name}")

    def add(self, new: Task) -> Task:
        """
        Register a task. The same function again (a module that was reloaded) replaces its former self.

        :raises DuplicateTask: another function has the name
        """
        present = self._tasks.get(new.name)
        if present is not None and present.reference != new.reference:
            raise DuplicateTask(f"“{new.name}” is both {present.reference} and {new.reference}. Rename one of them.")
        self._tasks[new.name] = new
        self._names[new.function] = new.name
        return new

    def remove(self, name: str) -> None:
        """
        Forget a task.

        :raises UnknownTask: the name is not registered
        """
        task = self._tasks.pop(name, None)
        if task is None:
            raise UnknownTask(error_messages.UNREGISTERED_TASK(name=name))
        self._names.pop(task.function, None)

    def get(self, name: str) -> Task:
        """:raises UnknownTask: it is neither registered nor a function of an allowed module"""
        task = self._tasks.get(name)
        if task is None:
            task = self._from_allowed_module(name)
        if task is None:
            close = difflib.get_close_matches(name, self._tasks, n=1)
            hint = [hints.DID_YOU_MEAN(name=close[0])] if close else []
            unknown = error_messages.UNREGISTERED_TASK(name=name)
            raise UnknownTask(row(" ", [unknown, *hint, error_messages.IS_ITS_APP_INSTALLED()]))
        return task

    def name_of(self, function: Callable[..., Any] | str) -> str:
        """
        Return the name under which a function, or its ``module:function`` reference, may be scheduled.

        :raises UnknownTask: it is not a task
        """
        if callable(function):
            if function in self._names:
                return self._names[function]
            reference = f"{function.__module__}:{getattr(function, '__qualname__', function)}"
        else:
            reference = function
        if reference in self._tasks:
            return reference
        for task in self._tasks.values():
            if task.reference == reference:
                return task.name
        if self._from_allowed_module(reference) is not None:
            return reference
        raise UnknownTask(
            error_messages.NOT_A_TASK(
                name=f"{reference}",
            )
        )

    def all(self) -> tuple[Task, ...]:
        """Every registered task, by name."""
        return tuple(self._tasks[name] for name in sorted(self._tasks))

    def names(self) -> frozenset[str]:
        return frozenset(self._tasks)

    def _from_allowed_module(self, reference: str) -> Task | None:
        module_name, separator, name = reference.partition(":")
        if not separator or module_name not in self._modules or not name.isidentifier():
            return None
        function = getattr(importlib.import_module(module_name), name, None)
        if not inspect.isfunction(function) or function.__module__ != module_name:
            return None
        return self.add(Task(name=reference, function=function))


registry = Registry()

_LONGEST_TIMEOUT_SECONDS = 31_536_000


@overload
def task(function: Function) -> Function: ...


@overload
def task(
    *,
    name: str | None = None,
    executor: str = DEFAULT_EXECUTOR,
    timeout: timedelta | float | None = None,
    idempotent: bool = False,
    secrets_unaffected_by: Iterable[str] = (),
    rate: str | None = None,
    concurrency: str | None = None,
) -> Callable[[Function], Function]: ...


def task(
    function: Function | None = None,
    *,
    name: str | None = None,
    executor: str = DEFAULT_EXECUTOR,
    timeout: timedelta | float | None = None,
    idempotent: bool = False,
    secrets_unaffected_by: Iterable[str] = (),
    rate: str | None = None,
    concurrency: str | None = None,
) -> Function | Callable[[Function], Function]:
    """
    Register a function as a task and return it unchanged, so that it can still be called directly.

    ``name`` is what jobs store. By default ``module.function``. It must stay the same when the code moves. Annotations
    are the contract for the arguments: they are checked when a job is saved and before it runs.

    ``timeout`` is a ``timedelta`` or a number of seconds.

    ``secrets_unaffected_by`` names arguments that do not decide where a secret goes, such as a number of pages. When
    another one changes, a secret that is only known by its mask has to be entered again.

    ``rate`` and ``concurrency`` limit runs by a key, over all jobs and nodes: ``rate="host:{host} 1/s"`` (also ``min``,
    ``h``, ``d``), ``concurrency="host:{host} 2"``. The names in braces are arguments. Tasks with equal keys share them.

    :raises InvalidTask: a lambda or a nested function, which another process could not find again; its timeout is not
        positive; ``secrets_unaffected_by`` names something else than arguments; ``Secret`` marks ``*args`` or
        ``**kwargs``; or a limit cannot be read, or names something else than arguments that are shown
    :raises DuplicateTask: another function has the name
    """

    def register(function: Function) -> Function:
        if isinstance(function, str):
            raise InvalidTask(f"A name is given as @task(name={function!r}).")
        if not inspect.isfunction(function) or "<" in function.__qualname__:
            raise InvalidTask(f"{function!r} cannot be a task: only a function at the top of a module can.")
        new = Task(
            name=name or f"{function.__module__}.{function.__qualname__}",
            function=function,
            executor=executor,
            timeout=_timeout(timeout, function),
            idempotent=idempotent,
            secrets_unaffected_by=frozenset(secrets_unaffected_by),
            limits=_limits(rate, concurrency, function),
        )
        _check_secrets(new)
        _check_limits(new)
        registry.add(new)
        return function

    return register(function) if function is not None else register


def _check_secrets(new: Task) -> None:
    """:raises InvalidTask: the declaration of its secrets cannot be kept"""
    unknown = sorted(new.secrets_unaffected_by - set(new.signature.parameters))
    if unknown:
        raise InvalidTask(f"secrets_unaffected_by of “{new.name}” names {', '.join(unknown)}; it has no such argument.")
    for parameter in new.signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and parameter.name in new.secrets:
            raise InvalidTask(f"“{new.name}” marks {parameter} as Secret: name each secret argument instead.")


def _limits(rate: str | None, concurrency: str | None, function: Callable[..., Any]) -> Limits | None:
    if rate is None and concurrency is None:
        return None
    try:
        return Limits(
            rate=None if rate is None else limits.parse_rate(rate),
            concurrency=None if concurrency is None else limits.parse_concurrency(concurrency),
        )
    except (ValueError, AttributeError) as error:
        raise InvalidTask(f"{function!r}: {error}") from None


def _check_limits(new: Task) -> None:
    """:raises InvalidTask: a key names no argument, or one whose value stays hidden"""
    names = new.limits.names if new.limits else frozenset()
    unknown = sorted(names - set(new.signature.parameters))
    if unknown:
        raise InvalidTask(f"A limit of “{new.name}” names {', '.join(unknown)}; it has no such argument.")
    if hidden := sorted(names & new.secrets):
        raise InvalidTask(f"A limit of “{new.name}” names {', '.join(hidden)}, which is secret: keys are shown.")


def _timeout(timeout: timedelta | float | None, function: Callable[..., Any]) -> timedelta | None:
    if timeout is None or (isinstance(timeout, timedelta) and timeout > timedelta()):
        return timeout
    if isinstance(timeout, int | float) and not isinstance(timeout, bool) and 0 < timeout <= _LONGEST_TIMEOUT_SECONDS:
        return timedelta(seconds=timeout)
    raise InvalidTask(
        f"The timeout of {function!r} is {timeout!r}. It must be a positive timedelta or number of seconds."
    )
