"""
Remote executors: when the broker was told of a run, and which rows of nodes are workers.

Every column is nullable or has a default of the database, so that nodes of the release before write rows as they do.
Such a node leaves runs of an executor like ``celery:scrape`` where they are: it has no executor of that name.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0045_give_no_version_twice")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="rings",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text="Messages to the broker of its remote executor.", verbose_name="rings"),
        ),
        migrations.AddField(
            model_name="run",
            name="rung_at",
            field=models.DateTimeField(help_text="When the last of them was sent. Empty: it wants to be rung.", null=True, verbose_name="rung at"),
        ),
        migrations.AddField(
            model_name="node",
            name="kind",
            field=models.CharField(choices=[("node", "node"), ("celery", "celery"), ("tasks", "tasks")], db_default="node", default="node", help_text="A node plans and runs jobs. A worker runs what a broker brings to it.", max_length=16, verbose_name="kind"),
        ),
        migrations.AddField(
            model_name="nodemeasure",
            name="brokers",
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict, help_text="Brokers that refused its last messages, each with the reason and since when.", verbose_name="brokers"),
        ),
    ]
