"""
Find jobs among a million: by name and in its order, those that were paused last, those of executors that few have, and
those of words of a newer release.

The indexes are built while jobs are written.
"""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("scheduler", "0055_enqueue_one_run")]

    operations = [
        AddIndexConcurrently(
            "job",
            models.Index(fields=["name", "djangojob_ptr"], name="scheduler_job_name"),
        ),
        AddIndexConcurrently(
            "job",
            models.Index(fields=["state", "name", "djangojob_ptr"], name="scheduler_job_state_name"),
        ),
        AddIndexConcurrently(
            "job",
            models.Index(
                models.F("state_changed_at").desc(nulls_last=True),
                "djangojob_ptr",
                condition=Q(state="paused"),
                name="scheduler_job_last_paused",
            ),
        ),
        AddIndexConcurrently(
            "job",
            models.Index(fields=["executor"], condition=~Q(executor="default"), name="scheduler_job_other_executor"),
        ),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["djangojob_ptr"],
                condition=~Q(state__in=["active", "paused", "finished", "broken"]) | ~Q(overlap__in=["skip", "queue"]),
                name="scheduler_job_of_newer_words",
            ),
        ),
    ]
