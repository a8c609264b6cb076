"""Find runs by the code of their reason: the indexes are built while runs are written, and the former one goes last."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("scheduler", "0024_keep_reasons_as_data"),
    ]

    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(
                models.F("id").desc(),
                condition=Q(finished_at__isnull=False) & (~Q(reason_code="") | ~Q(reason_text="")),
                name="scheduler_run_reasoned",
            ),
        ),
        AddIndexConcurrently(
            "run",
            models.Index(
                "reason_code", models.F("id").desc(), condition=~Q(reason_code=""), name="scheduler_run_of_reason"
            ),
        ),
        RemoveIndexConcurrently("run", name="scheduler_run_with_a_reason"),
    ]
