"""
Find remote runs that want to be rung, and those that were: the indexes are built while runs are written.

Both are partial, and hold runs of remote executors only.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q, Value
from django.db.models.functions import StrIndex
from django.db.models.lookups import GreaterThan


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0046_ring_remote_runs")]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(
                "executor",
                models.F("priority").desc(),
                "due_at",
                "id",
                condition=Q(GreaterThan(StrIndex("executor", Value(":")), 0))
                & Q(node__isnull=True, finished_at__isnull=True, held=False, rung_at__isnull=True),
                name="scheduler_run_to_ring",
            ),
        ),
        AddIndexConcurrently(
            "run",
            models.Index(
                fields=["executor", "rung_at"],
                condition=Q(rung_at__isnull=False, node__isnull=True, finished_at__isnull=True),
                name="scheduler_run_rung",
            ),
        ),
    ]
