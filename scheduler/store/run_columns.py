"""
The columns of a run and the value that each has in a new row: the only list of them.

A statement that inserts runs names the columns with ``{columns_of_a_run}`` and their values with the name of a field of
``RunColumn`` in braces. Its own text says from which rows these values come.
"""

from __future__ import annotations

from typing import NamedTuple


class RunColumn(NamedTuple):
    """A column, with one SQL expression for each way into the ledger."""

    name: str
    planned_run: str
    """A fire time that was claimed: of ``plan`` and of its ``job``."""
    owed_run: str
    """A fire time of a window that was owed: of ``skipped``, ``owed``, and its ``job``, which may be removed."""
    further_attempt: str
    """A retry or a recovery: of ``again`` and of the ``run`` before it."""
    enqueued_run: str
    """A call of a task: of ``wanted`` and of the ``clock``. The functions that enqueue repeat these."""


RUN_COLUMNS = tuple(
    RunColumn(*row)
    for row in (
        ("job_id", "plan.job_id", "job.djangojob_ptr_id", "run.job_id", "NULL"),
        ("job_key", "plan.job_id", "owed.job_key", "run.job_key", "'/' || wanted.task"),
        ("job_name", "job.name", "owed.job_name", "run.job_name", "wanted.task"),
        ("task", "job.task", "owed.task", "run.task", "wanted.task"),
        ("args", "job.args", "coalesce(job.args, '[]')", "run.args", "wanted.args::jsonb"),
        ("kwargs", "job.kwargs", "coalesce(job.kwargs, '{}')", "run.kwargs", "wanted.kwargs::jsonb"),
        ("executor", "job.track", "owed.executor", "run.executor", "wanted.track"),
        ("queue", "job.queue", "coalesce(job.queue, 'default')", "run.queue", "wanted.queue"),
        ("priority", "job.priority", "owed.priority", "run.priority", "wanted.priority"),
        ("timeout", "job.timeout", "NULL", "run.timeout", "wanted.timeout"),
        ("policies", "NULL", "NULL", "run.policies", "wanted.policies::jsonb"),
        ("public_id", "NULL", "NULL", "run.public_id", "wanted.public_id"),
        ("unique_key", "NULL", "NULL", "run.unique_key", "wanted.unique_key"),
        ("expires_at", "NULL", "NULL", "NULL", "wanted.expires_at"),
        (
            "scheduled_at",
            "plan.scheduled_at",
            "skipped.scheduled_at",
            "run.scheduled_at",
            "coalesce(wanted.run_after, clock.now)",
        ),
        ("due_at", "plan.due_at", "skipped.scheduled_at", "again.due_at", "coalesce(wanted.run_after, clock.now)"),
        ("covers_from", "plan.covers_from", "skipped.covers_from", "run.covers_from", "NULL"),
        ("coalesced", "plan.coalesced", "skipped.coalesced", "run.coalesced", "0"),
        ("kind", "'scheduled'", "'scheduled'", "again.kind", "'enqueued'"),
        ("attempt", "1", "1", "least(run.attempt, 32766) + 1", "1"),
        ("previous_id", "NULL", "NULL", "run.id", "NULL"),
        ("requested_by", "''", "''", "run.requested_by", "wanted.requested_by"),
        ("state", "plan.state", "'skipped'", "'queued'", "'queued'"),
        ("reason", "''", "''", "''", "''"),
        ("reason_code", "plan.reason_code", "%(reason_code)s", "''", "''"),
        ("reason_params", "plan.reason_params::jsonb", "NULL", "NULL", "NULL"),
        ("held", "plan.held", "false", "again.held", "false"),
        ("node", "plan.node", "NULL", "NULL", "NULL"),
        ("created_at", "plan.at", "clock_timestamp()", "again.at", "clock.now"),
        ("finished_at", "plan.finished_at", "clock_timestamp()", "NULL", "NULL"),
        ("log", "''", "''", "''", "''"),
        ("traceback", "''", "''", "''", "''"),
    )
)
