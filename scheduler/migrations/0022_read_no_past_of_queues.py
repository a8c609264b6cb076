"""Let the indexes of active and held runs be entered where a job's queue begins, and be read in the order of release."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q

HELD = Q(held=True, finished_at__isnull=True)


class Migration(migrations.Migration):
    # Built beside the nodes that write to the ledger. Each index serves the statements of the release before as well.
    atomic = False

    dependencies = [("scheduler", "0021_let_users_be_elsewhere")]

    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["job", "held", "id"], condition=Q(finished_at__isnull=True), name="scheduler_run_active_of_job"
            ),
        ),
        RemoveIndexConcurrently(model_name="run", name="scheduler_run_active_job"),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["node", "id"],
                condition=Q(finished_at__isnull=True, node__isnull=False),
                name="scheduler_run_owned_by_node",
            ),
        ),
        RemoveIndexConcurrently(model_name="run", name="scheduler_run_owned_node"),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                F("job"), F("priority").desc(), F("due_at"), F("id"), condition=HELD, name="scheduler_run_held_of_job"
            ),
        ),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["job", "-scheduled_at"],
                condition=HELD & Q(kind="scheduled"),
                name="scheduler_run_held_fire_time",
            ),
        ),
    ]
