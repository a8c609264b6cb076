"""Notes on runs, jobs that get their past back, and what memory and processors nodes use."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0040_owe_what_was_moved_back")]

    operations = [
        migrations.CreateModel(
            name="RestoredJob",
            fields=[
                ("job_key", models.CharField("job id", max_length=255, primary_key=True, serialize=False)),
                ("restored_at", models.DateTimeField("restored at", db_default=Now())),
            ],
            options={
                "verbose_name": "restored job",
                "verbose_name_plural": "restored jobs",
                "db_table": "scheduler_restored",
                "default_permissions": (),
            },
        ),
        migrations.AddField(
            model_name="nodemeasure",
            name="memory_bytes",
            field=models.BigIntegerField(
                "memory", help_text="Resident memory of the node and its child processes.", null=True
            ),
        ),
        migrations.AddField(
            model_name="nodemeasure",
            name="processors",
            field=models.FloatField(
                "processors", help_text="Processors that they kept busy since the report before.", null=True
            ),
        ),
        migrations.AlterModelOptions(
            name="run",
            options={
                "ordering": ("-id",),
                "permissions": [
                    ("cancel_run", "Can cancel run"),
                    ("retry_run", "Can retry run"),
                    ("note_run", "Can write notes on runs and take failures on"),
                    ("view_run_output", "Can view arguments, result, log and traceback of run"),
                ],
                "verbose_name": "run",
                "verbose_name_plural": "runs",
            },
        ),
        migrations.CreateModel(
            name="RunNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_key", models.CharField("job id", max_length=255)),
                (
                    "kind",
                    models.CharField(
                        "kind",
                        choices=[("note", "note"), ("taken", "taken"), ("released", "released")],
                        default="note",
                        max_length=16,
                    ),
                ),
                ("text", models.TextField("text", blank=True, default="")),
                ("author", models.CharField("author", blank=True, default="", max_length=150)),
                ("via", models.CharField("through", default="code", max_length=16)),
                ("created_at", models.DateTimeField("created at", db_default=Now())),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notes",
                        to="scheduler.run",
                        verbose_name="run",
                    ),
                ),
            ],
            options={
                "verbose_name": "note on a run",
                "verbose_name_plural": "notes on runs",
                "ordering": ("-id",),
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["run", "-id"], name="scheduler_note_of_run"),
                    models.Index(
                        condition=models.Q(("kind", "note"), _negated=True),
                        fields=["job_key", "-id"],
                        name="scheduler_note_taken_of_job",
                    ),
                ],
            },
        ),
    ]
