from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    # Built beside the nodes that write to the ledger.
    atomic = False

    dependencies = [("scheduler", "0013_find_runs_by_kind")]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=BrinIndex(
                autosummarize=True,
                fields=["created_at", "task", "node"],
                name="scheduler_run_at_task_node",
                opclasses=[
                    "timestamptz_minmax_ops",
                    "text_bloom_ops(n_distinct_per_range=100)",
                    "uuid_bloom_ops(n_distinct_per_range=50)",
                ],
                pages_per_range=64,
            ),
        ),
        RemoveIndexConcurrently(model_name="run", name="scheduler_run_created_at"),
        # By default the planner knows the hundred most frequent tasks, and takes the others for as frequent as each other.
        migrations.RunSQL(
            "ALTER TABLE scheduler_run ALTER COLUMN task SET STATISTICS 300",
            "ALTER TABLE scheduler_run ALTER COLUMN task SET STATISTICS -1",
        ),
    ]
