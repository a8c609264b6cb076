"""
Let the indexes of waiting and held runs tell when each run was entered, so that a long queue is measured without its rows.

Each index is built beside the nodes that write to the ledger, and takes the place and the name of the one before.
"""

from django.db import migrations, models
from django.db.models import F, Q

_WAITING = "(executor, priority DESC, due_at, id) {include} WHERE finished_at IS NULL AND NOT held AND node IS NULL"
_HELD = "(due_at) {include} WHERE finished_at IS NULL AND held"


def replace(name: str, definition: str) -> list[str]:
    """Return the statements that replace an index. They can be repeated from the start, whichever of them failed."""
    return [
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}_next",
        f"CREATE INDEX CONCURRENTLY {name}_next ON scheduler_run {definition}",
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        f"ALTER INDEX {name}_next RENAME TO {name}",
    ]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0051_drain_nodes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    replace("scheduler_run_waiting", _WAITING.format(include="INCLUDE (created_at)")),
                    replace("scheduler_run_waiting", _WAITING.format(include="")),
                ),
                migrations.RunSQL(
                    replace("scheduler_run_held", _HELD.format(include="INCLUDE (executor, created_at)")),
                    replace("scheduler_run_held", _HELD.format(include="")),
                ),
            ],
            state_operations=[
                migrations.RemoveIndex(model_name="run", name="scheduler_run_waiting"),
                migrations.AddIndex(
                    model_name="run",
                    index=models.Index(
                        F("executor"),
                        F("priority").desc(),
                        F("due_at"),
                        F("id"),
                        include=("created_at",),
                        condition=Q(node__isnull=True, finished_at__isnull=True, held=False),
                        name="scheduler_run_waiting",
                    ),
                ),
                migrations.RemoveIndex(model_name="run", name="scheduler_run_held"),
                migrations.AddIndex(
                    model_name="run",
                    index=models.Index(
                        F("due_at"),
                        include=("executor", "created_at"),
                        condition=Q(held=True, finished_at__isnull=True),
                        name="scheduler_run_held",
                    ),
                ),
            ],
        )
    ]
