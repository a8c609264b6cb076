"""
The inherited ``job_state`` column: written so that the stock job store could still read it.

No running service reads it. ``read`` is for adoption, which a deployer asks for. ``leave`` writes
states for a project that goes back to stock.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger

from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.apscheduler import to_apscheduler
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.models import Job
from scheduler.store.stock.stock_state import OWN_KEY, StockState, read
from scheduler.store.stock.written_triggers import as_stock

__all__ = ["StockState", "dump", "dump_many", "leave", "read"]

_OWN = ("id", "name", "args", "kwargs")
"""What the states of jobs with one trigger and the same policies differ in."""

_HEAD = 11
"""The bytes of a pickle before its first object: protocol, and the length of its frame."""


def dump(job: Job) -> bytes:
    """
    Return what APScheduler 3.11 would have stored for this job (``Job.__getstate__``, pickled).

    The trigger is one of its own classes where they can say the rule. A job that stock APScheduler could not run,
    because its task or its trigger is unusable, keeps what it had.
    """
    found = _usable(job)
    if found is None:
        return bytes(job.job_state or b"")
    return pickle.dumps(_state(job, **found), protocol=4)


def _usable(job: Job) -> dict[str, Any] | None:
    """Return the function and the trigger as APScheduler has them. ``None``: it could not run the job."""
    try:
        reference = registry.get(job.task).reference
        return {"reference": reference, "trigger": as_stock(job.trigger) or to_apscheduler(job.trigger)}
    except (UnknownTask, InvalidTrigger):
        return None


def dump_many(jobs: Sequence[Job]) -> Iterator[bytes]:
    """
    Return the state of each job. What many have in common is pickled once, which takes most of the time.

    The pickle of the common part is left open, and each job adds its own keys to the dictionary in it. These are
    written without the memo of the pickler, whose numbers would be those of the common part.
    """
    opened: dict[tuple[object, ...], bytes] = {}
    for job in jobs:
        same = (job.task, id(job.trigger), job.executor, job.misfire_grace_time, job.coalesce, job.max_instances)
        key = (*same, job.next_run_time)
        if key not in opened:
            opened[key] = _opened(job)
        yield opened[key] + _own_keys(job) if opened[key] else dump(job)


def _opened(job: Job) -> bytes:
    """Return the pickle of the keys that are common, without its end. Empty: it is none, or has several frames."""
    usable = _usable(job)
    if usable is None:
        return b""
    common = {key: value for key, value in _state(job, **usable).items() if key not in _OWN}
    found = pickle.dumps(common, protocol=4)
    has_one_frame = _HEAD + int.from_bytes(found[3:_HEAD], "little") == len(found)
    return found[:2] + found[_HEAD:-1] if has_one_frame else b""


def _own_keys(job: Job) -> bytes:
    """Return the pickled keys of one job, and the end, as they follow an open dictionary."""
    written = io.BytesIO()
    pickler = pickle.Pickler(written, protocol=4)
    pickler.fast = True
    pickler.dump({"id": job.id, "name": job.name, "args": tuple(job.args), "kwargs": dict(job.kwargs)})
    return written.getvalue()[_HEAD + len(pickle.EMPTY_DICT) :]


def leave(job: Job, *, own: Mapping[str, Any], is_parked: bool) -> bytes:
    """
    Return a state that stock goes on with.

    ``own`` is JSON that stock passes by until it writes the row itself: what the job is made of here. A parked job is
    one that stock keeps and never runs: it is paused, and its trigger has no fire time.

    :raises UnknownTask, InvalidTrigger: the job is unusable here too, and was not parked
    """
    if is_parked:
        state = _state(job, reference="builtins:print", trigger=OrTrigger([]))
        state["next_run_time"] = None
    else:
        state = _state(job, reference=registry.get(job.task).reference, trigger=as_stock(job.trigger))
    return pickle.dumps({**state, OWN_KEY: json.dumps(own)}, protocol=4)


def _state(job: Job, *, reference: str, trigger: BaseTrigger | None) -> dict[str, Any]:
    return {
        "version": 1,
        "id": job.id,
        "func": reference,
        "trigger": trigger,
        "executor": job.executor,
        "args": tuple(job.args),
        "kwargs": dict(job.kwargs),
        "name": job.name,
        "misfire_grace_time": job.misfire_grace_time,
        "coalesce": job.coalesce,
        "max_instances": job.max_instances,
        "next_run_time": job.next_run_time,
    }
