"""Statements of tests about enqueued tasks, and enqueueing that runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from pydantic_core import to_jsonable_python

from scheduler.core.states import RunKind
from scheduler.core.tasks.registry import registry
from scheduler.errors import UnknownTask
from scheduler.models import Run
from scheduler.services.jobs.calling import task_name
from scheduler.testing.running import drain

_MOST_LISTED = 20
_SIGNALS = ("django.tasks.signals", "django_tasks.signals")


def enqueued(task: Any = None) -> list[Run]:
    """
    Return the runs that were enqueued, oldest first, whatever became of them: all, or those of one task.

    ``task`` is a task of ``django.tasks``, a function with ``@task``, or a name. Retries are not among them.
    """
    found = Run.objects.filter(kind=RunKind.ENQUEUED).order_by("pk")
    return list(found if task is None else found.filter(task=_name(task)))


def assert_enqueued(task: Any, /, **kwargs: Any) -> Run:
    """
    Assert that a task was enqueued with these arguments, and return the newest such run.

    Arguments that are not named may have any value. The run has ``queue``, ``priority`` and ``due_at`` for further
    statements.

    :raises AssertionError: with what was enqueued instead
    """
    matching = _matching(task, kwargs)
    if not matching:
        raise AssertionError(f"“{_name(task)}” was not enqueued{_with(kwargs)}. {_present()}")
    return matching[-1]


def assert_not_enqueued(task: Any, /, **kwargs: Any) -> None:
    """
    Assert that a task was not enqueued with these arguments.

    :raises AssertionError: with the runs that were
    """
    matching = _matching(task, kwargs)
    if matching:
        told = "\n".join(_line(run) for run in matching[:_MOST_LISTED])
        raise AssertionError(f"“{_name(task)}” was enqueued{_with(kwargs)}:\n{told}")


@contextmanager
def eager() -> Iterator[None]:
    """
    Run what is enqueued as soon as it is enqueued, within this block, and all else that is due then.

    ``enqueue`` returns a result that is finished. A body that fails leaves a failed run and does not raise.
    """

    def run(*, task_result: Any, **_facts: Any) -> None:
        drain()
        task_result.refresh()

    signals = [_signal(name) for name in _SIGNALS]
    connected = [signal for signal in signals if signal is not None]
    for signal in connected:
        signal.connect(run, weak=False)
    try:
        yield
    finally:
        for signal in connected:
            signal.disconnect(run)


def _signal(module: str) -> Any:
    try:
        return import_module(module).task_enqueued
    except ImportError:
        return None


def _matching(task: Any, kwargs: dict[str, Any]) -> list[Run]:
    expected = to_jsonable_python(kwargs)
    absent = object()
    return [
        run
        for run in enqueued(task)
        if all(_arguments(run).get(name, absent) == value for name, value in expected.items())
    ]


def _arguments(run: Run) -> dict[str, Any]:
    """Return the arguments of a run by name, with the defaults of its task."""
    try:
        return registry.get(run.task).named(args=run.args, kwargs=run.kwargs)
    except UnknownTask:
        return dict(run.kwargs)


def _name(task: Any) -> str:
    path: str | None = getattr(task, "module_path", None)
    return task_name(task) if path is None else path


def _with(kwargs: dict[str, Any]) -> str:
    return f" with {_call(kwargs)}" if kwargs else ""


def _call(kwargs: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in kwargs.items())


def _present() -> str:
    found = enqueued()
    if not found:
        return "No task was enqueued."
    lines = [_line(run) for run in found[-_MOST_LISTED:]]
    return "\n".join(["Enqueued:", *lines])


def _line(run: Run) -> str:
    due = "" if run.due_at <= run.created_at else f", due at {run.due_at.isoformat()}"
    return f"  {run.task}({_call(_arguments(run))}) in “{run.queue}”{due}, {run.state}"
