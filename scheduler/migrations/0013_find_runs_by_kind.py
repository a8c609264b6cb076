from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    # Built beside the nodes that write to the ledger.
    atomic = False

    dependencies = [("scheduler", "0012_keep_the_history_of_jobs")]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                "kind", models.F("id").desc(), condition=~Q(kind="scheduled"), name="scheduler_run_other_kind"
            ),
        ),
    ]
