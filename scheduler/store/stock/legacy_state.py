"""
The inherited ``job_state`` column: written so that the stock job store could still read it.

No running service reads it. ``read`` is for adoption, which a deployer asks for. ``leave`` writes
states for a project that goes back to stock.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger

from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.apscheduler import to_apscheduler
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.models import Job
from scheduler.store.stock.stock_state import OWN_KEY, StockState, read
from scheduler.store.stock.written_triggers import as_stock

__all__ = ["StockState", "dump", "leave", "read"]


def dump(job: Job) -> bytes:
    """
    Return what APScheduler 3.11 would have stored for this job (``Job.__getstate__``, pickled).

    The trigger is one of its own classes where they can say the rule. A job that stock APScheduler could not run,
    because its task or its trigger is unusable, keeps what it had.
    """
    try:
        reference = registry.get(job.task).reference
        trigger = as_stock(job.trigger) or to_apscheduler(job.trigger)
    except (UnknownTask, InvalidTrigger):
        return bytes(job.job_state or b"")
    return pickle.dumps(_state(job, reference=reference, trigger=trigger), protocol=4)


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
