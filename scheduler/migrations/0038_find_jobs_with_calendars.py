"""Find the jobs whose triggers have calendars: the index is built while jobs are written."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0037_add_calendars")]

    operations = [
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["djangojob_ptr"],
                condition=models.Q(trigger__has_any_keys=["calendars", "windows"]),
                name="scheduler_job_with_calendars",
            ),
        )
    ]
