from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    # Built beside the nodes that write to the ledger.
    atomic = False

    dependencies = [("scheduler", "0006_serve_the_api")]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=BrinIndex(autosummarize=True, fields=["created_at"], name="scheduler_run_created_at"),
        ),
    ]
