from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # Built beside the nodes that write to the ledger.
    atomic = False

    dependencies = [("scheduler", "0008_remember_the_installation")]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                models.F("id").desc(),
                condition=Q(finished_at__isnull=False) & ~Q(reason=""),
                name="scheduler_run_with_a_reason",
            ),
        ),
    ]
