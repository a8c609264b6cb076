"""Rows have types: the fields of a named tuple are the columns of the statement that fills it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection, transaction

from scheduler.core.health.standing import QueueTotal, QueueView
from scheduler.store import outbox, statements
from scheduler.store.accounting.owed import Window
from scheduler.store.claiming.claimed import DueJob
from scheduler.store.claiming.heads import Place
from scheduler.store.recording.enqueued import Written
from scheduler.store.recording.runs import OwnedRun

pytestmark = pytest.mark.django_db


class Joined:
    """Rows that are one named tuple after the other."""

    def __init__(self, *parts: Any) -> None:
        self._fields = tuple(name for part in parts for name in part._fields)


ROWS: dict[str, Any] = {
    "claim_due_jobs": DueJob,
    "take_runs": Joined(OwnedRun, Place),
    "take_enqueued_runs": Joined(OwnedRun, Place),
    "measure_queues": QueueView,
    "measure_queue_counters": QueueTotal,
    "enqueue_runs": Written,
    "lock_owed": Window,
    "find_waiting_alerts": outbox.Waiting,
    "claim_notifications": outbox.Leased,
}


def columns_of(statement: str) -> list[str]:
    """Return the columns of a statement, which is executed without values and rolled back."""
    text = statements.load(statement)
    names = set(re.findall(r"%\((\w+)\)s", text))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(text, dict.fromkeys(names))
        columns = [column.name for column in cursor.description]
        transaction.set_rollback(True)
    return columns


@pytest.mark.parametrize("statement", ROWS)
class TestAStatement:
    def test_returns_the_fields_of_its_row(self, statement: str) -> None:
        assert columns_of(statement) == list(ROWS[statement]._fields)
