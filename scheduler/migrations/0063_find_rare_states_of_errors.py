"""
Find runs that were interrupted or timed out, which are few among those with an error.

The index is built while runs are written. PostgreSQL before 16 gets none: there, each start of a run would be entered
in all indexes of the ledger.
"""

from typing import Any

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q


class AddIndexOfStretches(AddIndexConcurrently):
    """Add an index, if updates of its column can be HOT."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if getattr(schema_editor.connection, "pg_version", 0) >= 160_000:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0062_note_new_jobs_together")]

    operations = [
        AddIndexOfStretches(
            "run",
            BrinIndex(
                fields=["state"],
                opclasses=["text_bloom_ops(n_distinct_per_range=10)"],
                pages_per_range=64,
                autosummarize=True,
                condition=Q(error__isnull=False),
                name="scheduler_run_states_of_errors",
            ),
        )
    ]
