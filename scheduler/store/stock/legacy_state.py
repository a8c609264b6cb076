"""
The inherited ``job_state`` column: written so that the stock job store could still read it.

No running service reads it. ``read`` is for adoption, which a deployer asks for.
"""

from __future__ import annotations

import pickle

from scheduler.core.tasks.registry import registry
from scheduler.core.triggers.apscheduler import to_apscheduler
from scheduler.errors import InvalidTrigger, UnknownTask
from scheduler.models import Job
from scheduler.store.stock.stock_state import StockState, read

__all__ = ["StockState", "dump", "read"]


def dump(job: Job) -> bytes:
    """
    Return what APScheduler 3.11 would have stored for this job (``Job.__getstate__``, pickled).

    A job that stock APScheduler could not run, because its task or its trigger is unusable, keeps what it had.
    """
    try:
        reference = registry.get(job.task).reference
        trigger = to_apscheduler(job.trigger)
    except (UnknownTask, InvalidTrigger):
        return bytes(job.job_state or b"")
    state = {
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
    return pickle.dumps(state, protocol=4)
