"""Running one task body: arguments in, outcome out, whatever happens in between."""

from __future__ import annotations

import json
import time
from typing import Any

from django.db import connections

from scheduler import conf
from scheduler.core import context
from scheduler.core.context import CurrentRun
from scheduler.core.registry import registry
from scheduler.core.states import RunState
from scheduler.execution.values import describe_error, result_as_json
from scheduler.store.runs import Outcome, OwnedRun


def execute(run: OwnedRun, *, node: str) -> Outcome:
    """Run the body in this thread. Never raises: what it raises is the outcome."""
    started = time.monotonic_ns() // 1000
    value: Any = None
    result: str | None = None
    error: str | None = None
    traceback = ""
    state = RunState.SUCCEEDED
    context.enter(_current(run, node))
    try:
        value = _call(run)
        if value is not None:
            result = result_as_json(value, limit=conf.get().max_result_bytes)
    except BaseException as raised:  # noqa: BLE001 - the body is anybody's code; SystemExit must not end the pool
        state = RunState.FAILED
        error, traceback = describe_error(raised, limit=conf.get().max_traceback_chars)
    finally:
        context.enter(None)
        _return_connections()
    return Outcome(
        run_id=run.id,
        state=state,
        started=started,
        finished=time.monotonic_ns() // 1000,
        result=result,
        error=error,
        traceback=traceback,
        value=value,
    )


def _current(run: OwnedRun, node: str) -> CurrentRun:
    return CurrentRun(
        run_id=run.id,
        job_id=run.job_id,
        job_name=run.job_name,
        task=run.task,
        scheduled_at=run.scheduled_at,
        attempt=run.attempt,
        node=node,
    )


def _call(run: OwnedRun) -> Any:
    task = registry.get(run.task)
    if task.takes_nothing and run.args == "[]" and run.kwargs == "{}":
        return task.function()
    args, kwargs = task.bind(args=json.loads(run.args), kwargs=json.loads(run.kwargs))
    return task.function(*args, **kwargs)


def _return_connections() -> None:
    """Give the body's database connections back, rolling back what it left open."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            connection.close()
