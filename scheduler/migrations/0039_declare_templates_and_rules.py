"""Remember declared templates and alert rules, those that ship, and which jobs may have drifted."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0038_find_jobs_with_calendars")]

    operations = [
        migrations.AddField(
            model_name="declaration",
            name="job_version",
            field=models.PositiveIntegerField(
                "version of the job", help_text="After the last synchronisation: another one may be drift.", null=True
            ),
        ),
        migrations.AddField(
            model_name="declaration",
            name="has_drift",
            field=models.BooleanField(
                "has drift", db_default=False, default=False, help_text="At the last synchronisation."
            ),
        ),
        migrations.CreateModel(
            name="DeclaredObject",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField("kind", help_text="A template or an alert rule.", max_length=16)),
                ("key", models.CharField("key", max_length=255)),
                (
                    "owner",
                    models.CharField(
                        "owner",
                        blank=True,
                        help_text="The deployment (empty), or the scheduler that ships it.",
                        max_length=255,
                    ),
                ),
                (
                    "source",
                    models.CharField("source", help_text="The name of a file, or of a module.", max_length=255),
                ),
                (
                    "origin",
                    models.CharField("declared at", help_text="A module, or a line of a file.", max_length=255),
                ),
                (
                    "declared",
                    models.JSONField("declared", default=dict, help_text="Values at the last synchronisation."),
                ),
                ("release", models.CharField("release", blank=True, max_length=64)),
                (
                    "is_declared",
                    models.BooleanField(
                        "is declared", default=True, help_text="Whether the source still declares it."
                    ),
                ),
                ("synced_at", models.DateTimeField("synchronised at", db_default=Now())),
            ],
            options={
                "verbose_name": "declared object",
                "verbose_name_plural": "declared objects",
                "ordering": ("kind", "key"),
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=["kind", "key"], name="scheduler_declared_object_once")
                ],
            },
        )
    ]
