"""The triggers of the database watch the columns that the table of a job's fields names."""

from __future__ import annotations

import pytest
from django.db import connection

from scheduler.core import definition


def watched(trigger: str) -> frozenset[str]:
    """Return the columns whose updates fire a trigger."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_object_column FROM information_schema.triggered_update_columns WHERE trigger_name = %s",
            [trigger],
        )
        return frozenset(column for (column,) in cursor.fetchall())


@pytest.mark.django_db
class TestATrigger:
    def test_that_writes_the_history_watches_the_definition(self) -> None:
        assert watched("scheduler_note_change") == definition.history_columns()

    def test_that_raises_the_version_watches_the_definition(self) -> None:
        assert watched("scheduler_raise_version") == definition.history_columns()

    def test_that_has_a_node_inspect_watches_what_can_be_wrong(self) -> None:
        assert watched("scheduler_job_changed") == definition.inspected_columns()

    def test_that_notifies_the_nodes_watches_what_they_keep(self) -> None:
        assert watched("scheduler_notify_jobs") == definition.notified_columns()
