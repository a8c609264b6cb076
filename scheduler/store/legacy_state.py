"""The inherited ``job_state`` column: derived from a job, so that the stock job store could still read the table."""

from __future__ import annotations

import pickle

from scheduler.core import triggers
from scheduler.core.registry import registry
from scheduler.models import Job


def dump(job: Job) -> bytes:
    """Return what APScheduler 3.11 would have stored for this job (``Job.__getstate__``, pickled)."""
    state = {
        "version": 1,
        "id": job.pk,
        "func": registry.get(job.task).reference,
        "trigger": triggers.to_apscheduler(job.trigger),
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
