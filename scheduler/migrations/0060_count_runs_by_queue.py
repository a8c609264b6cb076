"""Count the runs of each queue that ended, by five minutes. Nodes of the release before count none."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0059_keep_answers_to_alerts_as_data")]

    operations = [
        migrations.CreateModel(
            name="QueueCounter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("node", models.UUIDField(verbose_name="node")),
                ("queue", models.CharField(max_length=64, verbose_name="queue")),
                ("since", models.DateTimeField(verbose_name="since")),
                ("runs", models.PositiveBigIntegerField(default=0)),
            ],
            options={"verbose_name": "counter of a queue", "verbose_name_plural": "counters of queues"},
        ),
        migrations.AddConstraint(
            model_name="queuecounter",
            constraint=models.UniqueConstraint(fields=("node", "queue", "since"), name="scheduler_queuecounter_once"),
        ),
    ]
