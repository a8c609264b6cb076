"""Running one task body: arguments in, outcome out, whatever happens in between."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync

from scheduler import conf, context, failpoints, sealing
from scheduler.context import CurrentRun, StopReason
from scheduler.core import reasons
from scheduler.core.states import RunState
from scheduler.core.tasks.adapters import Adapter
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.errors import Retry, Skip, UnknownTask
from scheduler.execution import body_connections
from scheduler.execution.values import clean, describe_error, describe_skip, progress_as_json, result_as_json
from scheduler.logbook import masked
from scheduler.messages import Message
from scheduler.store.recording.finishing import Note, Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)

_LONGEST_REASON = 2000  # characters of an error that is stored as a message beside its text
_STOPPED_STATES = {
    StopReason.CANCELLED: RunState.CANCELLED,
    StopReason.TIMED_OUT: RunState.TIMED_OUT,
    StopReason.INTERRUPTED: RunState.INTERRUPTED,
}


def begin(run: OwnedRun, *, node: str, publish: Callable[[CurrentRun], None] | None = None) -> CurrentRun:
    """Make what the body will see as its current run."""
    return CurrentRun(
        run_id=run.id,
        job_id=run.job_id,
        job_name=run.job_name,
        task=run.task,
        scheduled_at=run.scheduled_at,
        attempt=run.attempt,
        node=node,
        publish=publish,
        result_id=run.public_id,
    )


def timeout_of(run: OwnedRun) -> float | None:
    """Return how many seconds the run may take: what its job says, else what its task declares."""
    if run.timeout_seconds is not None:
        return run.timeout_seconds
    try:
        declared = registry.get(run.task).timeout
    except UnknownTask:
        return None
    return None if declared is None else declared.total_seconds()


def execute(
    run: OwnedRun,
    current: CurrentRun,
    *,
    at_end: Callable[[], None] | None = None,
    keeps_connections: bool = False,
) -> Outcome:
    """
    Run the body in this thread. Never raises: what it raises is the outcome.

    ``at_end`` is called while the run is still the current one. ``keeps_connections``: the database connections are the
    caller's, who is within a transaction.
    """
    started = now_microseconds()
    outcome: Outcome | None = None
    try:
        # In a context of its own: the language or time zone that one body activates must not be the next one's.
        outcome = copy_context().run(_execute, run, current, started=started, at_end=at_end)
    except BaseException as fault:
        # What a body raises has code of its own, which may fail while it is looked at: that must not end the thread.
        logger.exception(events.RUN_FAULT, extra={"run": run.id})
        error, traceback = describe_error(fault, limit=conf.get().max_traceback_chars)
        return Outcome(
            run_id=run.id,
            state=RunState.FAILED,
            started=started,
            finished=now_microseconds(),
            error=_masked(error, current.secrets),
            traceback=masked(traceback, current.secrets),
            node=current.node,
        )
    finally:
        has_failed = outcome is None or outcome.state is not RunState.SUCCEEDED
        if not keeps_connections and (
            body_connections.opened.any or has_failed
        ):  # what failed may have opened half a connection
            body_connections.give_back()
    return outcome


def _execute(run: OwnedRun, current: CurrentRun, *, started: int, at_end: Callable[[], None] | None) -> Outcome:
    value: Any = None
    result: str | None = None
    ending = _SUCCESS
    token = context.enter(current)
    try:
        failpoints.hit("run.before_user_code")
        value = _call(run, current)
        if value is not None:
            result = result_as_json(value, limit=conf.get().max_result_bytes)
    except BaseException as raised:  # noqa: BLE001 - the body is anybody's code; SystemExit must not end the pool
        ending = _ending_after(raised, current)
    finally:
        try:
            if at_end is not None:
                at_end()
        finally:
            context.leave(token)
    return Outcome(
        run_id=run.id,
        state=ending.state,
        started=started,
        finished=now_microseconds(),
        result=_masked(result, current.secrets) if current.secrets else result,
        error=ending.error,
        traceback=ending.traceback,
        reason=ending.reason,
        retry_after_seconds=ending.retry_after_seconds,
        value=value,
        log=current.logbook.text() if current.logbook is not None else "",
        progress=progress_of(current),
        node=current.node,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """The part of an outcome that depends on an exception."""

    state: RunState
    error: str | None = None
    traceback: str = ""
    reason: Message | None = None
    retry_after_seconds: float | None = None


_SUCCESS = _Ending(state=RunState.SUCCEEDED)


def _ending_after(raised: BaseException, current: CurrentRun) -> _Ending:
    state = _state_after(raised, current)
    reason = _reason_for(state, raised, current)
    error, traceback = None, ""
    if state is not RunState.SKIPPED:
        error, traceback = describe_error(raised, limit=conf.get().max_traceback_chars)
    return _Ending(
        state=state,
        error=None if state is RunState.CANCELLED else _masked(error, current.secrets),
        traceback=masked(traceback, current.secrets),
        reason=reason,
        retry_after_seconds=raised.after.total_seconds() if isinstance(raised, Retry) else None,
    )


def note_of(current: CurrentRun) -> Note:
    """Return what a run has to show while it runs."""
    log = current.logbook.text() if current.logbook is not None else ""
    return Note(run_id=current.run_id, progress=progress_of(current), log=log, node=current.node)


def progress_of(current: CurrentRun) -> str | None:
    """Return what the run last said of its progress, as JSON without its secrets."""
    if current.last_progress is None:
        return None
    return masked(progress_as_json(current.last_progress), current.secrets)


def now_microseconds() -> int:
    """Read the monotonic clock, which all processes of a machine share."""
    return time.monotonic_ns() // 1000


def _call(run: OwnedRun, current: CurrentRun) -> Any:
    task = registry.get(run.task)
    if task.adapter is not None:
        return _call_adapted(task.adapter, task, run, current)
    if task.takes_nothing and run.args == "[]" and run.kwargs == "{}":
        value = task.function()
    else:
        opened = _open_arguments(task, run, current)
        args, kwargs = task.bind(args=opened.args, kwargs=opened.kwargs, shows_values=False)
        value = task.function(*args, **kwargs)
    return None if value is None else _carried_out(value, current)


def _call_adapted(adapter: Adapter, task: Task, run: OwnedRun, current: CurrentRun) -> Any:
    opened = _open_arguments(task, run, current)
    value = adapter.call(task.function, run=run, node=current.node, args=opened.args, kwargs=opened.kwargs)
    return adapter.result(None if value is None else _carried_out(value, current))


def _open_arguments(task: Task, run: OwnedRun, current: CurrentRun) -> sealing.Opened:
    stored_args = json.loads(run.args)
    opened = sealing.open_arguments(
        args=stored_args,
        kwargs=json.loads(run.kwargs),
        job=run.job_key or run.job_id or "",
        task=run.task,
        names=task.names_of(stored_args),
    )
    current.secrets = opened.secrets
    return opened


def _carried_out(value: Any, current: CurrentRun) -> Any:
    """
    Do what the function only promised: its coroutine is awaited, its generator is run to the end.

    The function itself need not show it: a decorator may hide that it is a coroutine function.
    """
    if inspect.isgenerator(value):
        return list(value)
    if inspect.isasyncgen(value):
        return _awaited(_collected(value), current)
    if inspect.iscoroutine(value):
        return _awaited(value, current)
    return _awaited(_result_of(value), current) if inspect.isawaitable(value) else value


async def _collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


async def _result_of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _awaited(coroutine: Coroutine[Any, Any, Any], current: CurrentRun) -> Any:
    """
    Run a coroutine in an event loop of its own. A stop cancels it.

    Synchronous code that it calls, such as the ORM, runs in this thread with the connections of this thread. Otherwise
    the async bodies of the whole process would share one thread for it, and its connections would never be given back.
    """
    return async_to_sync(_until_it_ends)(coroutine, current)


async def _until_it_ends(coroutine: Coroutine[Any, Any, Any], current: CurrentRun) -> Any:
    loop = asyncio.get_running_loop()
    task = loop.create_task(coroutine)

    def cancel() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed just now: it has ended by itself
            loop.call_soon_threadsafe(task.cancel)

    current.on_stop(cancel)
    try:
        return await task
    finally:
        current.on_stop(None)


def _state_after(raised: BaseException, current: CurrentRun) -> RunState:
    """
    Return the state after an exception.

    A body that raises after a request to stop has obeyed. Any other one failed, or has skipped.
    """
    if current.stop_reason is not None:
        return _STOPPED_STATES[current.stop_reason]
    return RunState.SKIPPED if isinstance(raised, Skip) else RunState.FAILED


def _reason_for(state: RunState, raised: BaseException, current: CurrentRun) -> Message | None:
    """Return the reason as data: of a state that is not a failure, or of an error that is a message."""
    if state is RunState.CANCELLED:
        return reasons.CANCELLED_WHILE_IT_RAN()
    if state is RunState.SKIPPED:
        return reasons.LEFT_OUT_BY_TASK(text=masked(describe_skip(raised), current.secrets))
    return _worded(raised, current.secrets) if state is RunState.FAILED else None


def _worded(raised: BaseException, secrets: tuple[str, ...]) -> Message | None:
    """Return what an error of this project says as a reason, so that people read it in their language."""
    said = vars(raised).get("message")
    if isinstance(said, Message) and len(said) <= _LONGEST_REASON and masked(clean(said), secrets) == said:
        return reasons.as_reason(said)
    return None


def _masked(text: str | None, secrets: tuple[str, ...]) -> str | None:
    return None if text is None else masked(text, secrets)
