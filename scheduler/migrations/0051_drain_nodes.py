"""Let people drain a node: two columns of a small table. Nodes of the release before do not read them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0050_continue_detaching")]

    operations = [
        migrations.AlterModelOptions(
            name="node",
            options={
                "ordering": ("-started_at", "id"),
                "permissions": [("drain_node", "Can drain node")],
                "verbose_name": "node",
                "verbose_name_plural": "nodes",
            },
        ),
        migrations.AddField(
            model_name="node",
            name="drained_at",
            field=models.DateTimeField(
                help_text="Since then it takes no more runs. Those that it has begun go on.",
                null=True,
                verbose_name="drained at",
            ),
        ),
        migrations.AddField(
            model_name="node",
            name="drained_by",
            field=models.CharField(blank=True, db_default="", default="", max_length=150, verbose_name="drained by"),
        ),
    ]
