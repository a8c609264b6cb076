"""
List the runs of a deleted job by an index: it had the first attempts alone, and has all now.

All attempts are 1 or more. The condition is for statements that look for other runs without a job: they do not state it,
so that they never read this index instead of their own.

The index is built beside the nodes that write to the ledger, and takes the place and the name of the one before.
"""

from django.db import migrations, models
from django.db.models import Q

_NAME = "scheduler_run_of_removed_job"


def replace(condition: str) -> list[str]:
    """Return the statements that replace the index. They can be repeated from the start, whichever of them failed."""
    return [
        f"DROP INDEX CONCURRENTLY IF EXISTS {_NAME}_next",
        f"CREATE INDEX CONCURRENTLY {_NAME}_next ON scheduler_run (job_key, scheduled_at) WHERE {condition}",
        f"DROP INDEX CONCURRENTLY IF EXISTS {_NAME}",
        f"ALTER INDEX {_NAME}_next RENAME TO {_NAME}",
    ]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0057_drop_outputs")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(replace("attempt >= 1 AND job_id IS NULL"), replace("attempt = 1 AND job_id IS NULL")),
            ],
            state_operations=[
                migrations.RemoveIndex(model_name="run", name=_NAME),
                migrations.AddIndex(
                    model_name="run",
                    index=models.Index(
                        fields=["job_key", "scheduled_at"], condition=Q(job__isnull=True, attempt__gte=1), name=_NAME
                    ),
                ),
            ],
        )
    ]
