"""Find what the runs of a deleted job cover: the index is built while runs are written."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0035_let_jobs_owe")]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(
                fields=["job_key", "scheduled_at"],
                condition=Q(job__isnull=True, attempt=1),
                name="scheduler_run_of_removed_job",
            ),
        ),
    ]
