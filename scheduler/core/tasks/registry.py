"""
The registry of tasks: which functions may be run, under which name, with which arguments.

Only these functions can be executed. A name in the database is looked up here and never imported.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar, overload

from scheduler.core import error_messages, hints
from scheduler.core.tasks import limits
from scheduler.core.tasks.limits import Limits
from scheduler.core.tasks.secrets import Secret, revealed
from scheduler.core.tasks.task import DEFAULT_EXECUTOR, Task
from scheduler.errors import DuplicateTask, InvalidTask, UnknownTask
from scheduler.messages import row

Function = TypeVar("Function", bound=Callable[..., Any])

__all__ = [
    "NODE_EXECUTORS",
    "Registry",
    "Secret",
    "registry",
    "revealed",
    "task",
]

NODE_EXECUTORS = frozenset({DEFAULT_EXECUTOR, "processpool"})
"""Those that every node can have."""


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
            unknown = error_messages.UNREGISTERED_TASK(name=name)
            raise UnknownTask(row(" ", [unknown, *self._hint(name), error_messages.IS_ITS_APP_INSTALLED()]))
        return task

    def _hint(self, name: str) -> list[Any]:
        close = difflib.get_close_matches(name, self._tasks, n=1)
        return [hints.DID_YOU_MEAN(name=close[0])] if close else []

    def name_of(self, function: Callable[..., Any] | str | object) -> str:
        """
        Return the name under which a function, or its ``module:function`` reference, may be scheduled. A task of
        ``django.tasks`` counts as its function.

        :raises UnknownTask: it is not a task
        """
        if not callable(function) and not isinstance(function, str):
            function = getattr(function, "func", function)  # what django.tasks makes of a function
        if callable(function):
            if function in self._names:
                return self._names[function]
            reference = f"{function.__module__}:{getattr(function, '__qualname__', function)}"
        else:
            reference = f"{function}"
        if reference in self._tasks:
            return reference
        for task in self._tasks.values():
            if task.reference == reference:
                return task.name
        if self._from_allowed_module(reference) is not None:
            return reference
        raise UnknownTask(row(" ", [error_messages.NOT_A_TASK(name=reference), *self._hint(reference)]))

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
