"""
Tests of a project's tasks and jobs, without a node. See ``docs/testing.md``.

Runs are claimed, started, executed and recorded by the code of a node, in the thread and the transaction of the test,
so that the ledger has the rows that a node writes.
"""

from scheduler.testing.cases import SchedulerTestMixin
from scheduler.testing.clock import advance_by, advance_to, reset
from scheduler.testing.enqueued import assert_enqueued, assert_not_enqueued, eager, enqueued
from scheduler.testing.jobs import apply_schedules, assert_scheduled
from scheduler.testing.running import drain, run_due, run_until

__all__ = [
    "SchedulerTestMixin",
    "advance_by",
    "advance_to",
    "apply_schedules",
    "assert_enqueued",
    "assert_not_enqueued",
    "assert_scheduled",
    "drain",
    "eager",
    "enqueued",
    "reset",
    "run_due",
    "run_until",
]
