"""
Find the jobs of which a run was missed, skipped or cancelled: such runs say why, and most jobs have none.

The index is built while runs are written. Like the others it does not ask for the state of a run: starting one changes
no indexed column.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0052_measure_queues_by_their_indexes")]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(
                fields=["job"],
                condition=Q(finished_at__isnull=False) & (~Q(reason_code="") | ~Q(reason_text="")),
                name="scheduler_run_reasoned_of_job",
            ),
        )
    ]
