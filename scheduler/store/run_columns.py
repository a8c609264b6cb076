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


RUN_COLUMNS = tuple(
    RunColumn(*row)
    for row in (
        ("job_id", "plan.job_id", "job.djangojob_ptr_id", "run.job_id"),
        ("job_key", "plan.job_id", "owed.job_key", "run.job_key"),
        ("job_name", "job.name", "owed.job_name", "run.job_name"),
        ("task", "job.task", "owed.task", "run.task"),
        ("args", "job.args", "coalesce(job.args, '[]')", "run.args"),
        ("kwargs", "job.kwargs", "coalesce(job.kwargs, '{}')", "run.kwargs"),
        ("executor", "job.executor", "owed.executor", "run.executor"),
        ("priority", "job.priority", "owed.priority", "run.priority"),
        ("timeout", "job.timeout", "NULL", "run.timeout"),
        ("scheduled_at", "plan.scheduled_at", "skipped.scheduled_at", "run.scheduled_at"),
        ("due_at", "plan.due_at", "skipped.scheduled_at", "again.due_at"),
        ("covers_from", "plan.covers_from", "skipped.covers_from", "run.covers_from"),
        ("coalesced", "plan.coalesced", "skipped.coalesced", "run.coalesced"),
        ("kind", "'scheduled'", "'scheduled'", "again.kind"),
        ("attempt", "1", "1", "least(run.attempt, 32766) + 1"),
        ("previous_id", "NULL", "NULL", "run.id"),
        ("requested_by", "''", "''", "run.requested_by"),
        ("state", "plan.state", "'skipped'", "'queued'"),
        ("reason", "''", "''", "''"),
        ("reason_code", "plan.reason_code", "%(reason_code)s", "''"),
        ("reason_params", "plan.reason_params::jsonb", "NULL", "NULL"),
        ("held", "plan.held", "false", "again.held"),
        ("node", "plan.node", "NULL", "NULL"),
        ("created_at", "plan.at", "clock_timestamp()", "again.at"),
        ("finished_at", "plan.finished_at", "clock_timestamp()", "NULL"),
        ("log", "''", "''", "''"),
        ("traceback", "''", "''", "''"),
    )
)
