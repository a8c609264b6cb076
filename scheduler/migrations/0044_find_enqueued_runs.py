"""
Find enqueued runs by their result id, their unique key, their queue and their end: the indexes are built while runs are
written.

The two unique ones are partial, and hold enqueued runs only.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


def _unique(name: str, columns: str, where: str, constraint: models.UniqueConstraint) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON scheduler_run ({columns}) WHERE {where}",
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        state_operations=[migrations.AddConstraint("run", constraint)],
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0043_enqueue_runs")]

    operations = [
        _unique(
            "scheduler_run_enqueued_once_per_attempt",
            "public_id, attempt",
            "public_id IS NOT NULL",
            models.UniqueConstraint(
                fields=["public_id", "attempt"],
                condition=Q(public_id__isnull=False),
                name="scheduler_run_enqueued_once_per_attempt",
            ),
        ),
        _unique(
            "scheduler_run_one_of_a_key",
            "unique_key",
            "finished_at IS NULL AND unique_key IS NOT NULL",
            models.UniqueConstraint(
                fields=["unique_key"],
                condition=Q(unique_key__isnull=False, finished_at__isnull=True),
                name="scheduler_run_one_of_a_key",
            ),
        ),
        AddIndexConcurrently(
            "run",
            models.Index(
                fields=["expires_at"],
                condition=Q(expires_at__isnull=False, node__isnull=True, finished_at__isnull=True),
                name="scheduler_run_to_expire",
            ),
        ),
        AddIndexConcurrently(
            "run",
            models.Index(
                "queue",
                models.F("id").desc(),
                condition=~Q(queue="default"),
                name="scheduler_run_of_queue",
            ),
        ),
    ]
