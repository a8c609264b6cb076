"""Statements of tests about jobs."""

from __future__ import annotations

from datetime import datetime

from scheduler.core.states import JobState
from scheduler.models import Job
from scheduler.schedules import registered
from scheduler.services import declarations
from scheduler.services.jobs.calling import TaskOrName, task_name
from scheduler.store.clock import aware

_MOST_LISTED = 20


def apply_schedules() -> None:
    """
    Create the jobs that ``@schedule`` and files declare, as ``manage.py jobs apply`` does.

    :raises AssertionError: a declaration is rejected, with its reason
    """
    done = declarations.apply()
    problems = [f"{error.origin or error.source}: {error.text}" for error in done.errors]
    problems += [f"{step.key}: {step.text}" for step in done.steps if step.action is declarations.Action.REFUSED]
    if problems:
        raise AssertionError("The declared jobs are rejected:\n" + "\n".join(f"  {problem}" for problem in problems))


def assert_scheduled(id: str, *, at: datetime | None = None, task: TaskOrName | None = None) -> Job:
    """
    Assert that a job exists and becomes due, and return it. ``at``: its next fire time. ``task``: what it runs.

    :raises AssertionError: with the jobs that exist, and when they are due
    """
    job: Job | None = Job.objects.filter(pk=id).first()
    if job is None:
        raise AssertionError(f"There is no job “{id}”. {_present()}{_hint(id)}")
    if job.state != JobState.ACTIVE or job.next_run_time is None:
        reason = f": {job.state_reason}" if job.state_reason else ""
        raise AssertionError(f"The job “{id}” is not due at any time. It is {job.state}{reason}.")
    if at is not None and job.next_run_time != aware(at):
        raise AssertionError(
            f"The job “{id}” is due at {job.next_run_time.isoformat()}, and not {aware(at).isoformat()}."
        )
    if task is not None and job.task != task_name(task):
        raise AssertionError(f"The job “{id}” runs “{job.task}”, and not “{task_name(task)}”.")
    return job


def _present() -> str:
    found = list(Job.objects.order_by("pk")[: _MOST_LISTED + 1])
    if not found:
        return "The table of jobs is empty."
    lines = [f"  {job.pk}: {job.task}, {_due(job)}" for job in found[:_MOST_LISTED]]
    lines += ["  …"] if len(found) > _MOST_LISTED else []
    return "\n".join(["Jobs:", *lines])


def _due(job: Job) -> str:
    return f"{job.state}" if job.next_run_time is None else f"due at {job.next_run_time.isoformat()}"


def _hint(id: str) -> str:
    keys = {declared.key or task_name(declared.task) for declared in registered()}
    return f"\n“{id}” is declared with @schedule: call apply_schedules() first." if id in keys else ""
