"""
Runs without a job: enqueued by a call of a task, in queues that can be paused.

A node of the release before takes none of them, because their executor is a track that names the queue, such as
``default@mail``, and it leaves them as they are. Every column is nullable or has a default of the database. The type of
``executor`` becomes longer, which rewrites no row.
"""

import django.db.models.functions.datetime
from django.db import migrations, models

_NOTIFIED = """
DROP TRIGGER scheduler_notify_jobs ON scheduler_job;
CREATE TRIGGER scheduler_notify_jobs
    AFTER INSERT OR DELETE OR UPDATE OF task, args, kwargs, trigger, state, executor, priority, {queue}"coalesce",
          max_instances, misfire_grace_time, overlap, needs_inspection, version ON scheduler_job
    FOR EACH STATEMENT EXECUTE FUNCTION scheduler_notify_jobs();

DROP TRIGGER scheduler_note_change ON scheduler_job;
CREATE TRIGGER scheduler_note_change
    AFTER UPDATE OF version, name, tags, description, task, args, kwargs, trigger, executor, priority, {queue}"coalesce",
        max_instances, misfire_grace_time, rerun_if_interrupted, overlap, timeout, max_retries,
        retry_delay, retry_backoff, retry_delay_cap, retry_jitter, pause_after_failures, state, state_reason,
        source, paused_until ON scheduler_job
    FOR EACH ROW WHEN (current_setting('scheduler.change', true) IS DISTINCT FROM 'none')
    EXECUTE FUNCTION scheduler_note_change();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduler", "0042_reword_help_texts")]

    operations = [
        migrations.CreateModel(
            name="Queue",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="name")),
                ("paused_at", models.DateTimeField(null=True, verbose_name="paused at")),
                ("paused_until", models.DateTimeField(null=True, verbose_name="paused until")),
                ("paused_by", models.CharField(blank=True, db_default="", default="", max_length=150, verbose_name="paused by")),
                ("pause_reason", models.TextField(blank=True, db_default="", default="", verbose_name="reason")),
                ("keep_successes_days", models.FloatField(blank=True, null=True, verbose_name="days for which successes are kept")),
                ("keep_failures_days", models.FloatField(blank=True, null=True, verbose_name="days for which other runs are kept")),
            ],
            options={
                "verbose_name": "queue",
                "verbose_name_plural": "queues",
                "db_table": "scheduler_queue",
                "permissions": [("pause_queue", "Can pause and resume queue")],
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.AddField(
            model_name="job",
            name="queue",
            field=models.CharField(db_default="default", default="default", help_text="The queue in which its runs wait. Nodes serve all queues or some, and a queue can be paused.", max_length=64, verbose_name="queue"),
        ),
        migrations.AddField(
            model_name="node",
            name="queues",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list, help_text="Empty: all of them.", verbose_name="queues"),
        ),
        migrations.AlterField(
            model_name="run",
            name="executor",
            field=models.CharField(help_text="The track: the executor, and after an @ its queue.", max_length=129, verbose_name="executor"),
        ),
        migrations.AlterField(
            model_name="run",
            name="kind",
            field=models.CharField(choices=[("scheduled", "scheduled"), ("manual", "manual"), ("retry", "retry"), ("recovery", "recovery"), ("enqueued", "enqueued")], default="scheduled", max_length=16, verbose_name="kind"),
        ),
        migrations.AddField(
            model_name="run",
            name="queue",
            field=models.CharField(db_default="default", default="default", max_length=64, verbose_name="queue"),
        ),
        migrations.AddField(
            model_name="run",
            name="public_id",
            field=models.UUIDField(help_text="Of an enqueued run: the same for all of its attempts.", null=True, verbose_name="result id"),
        ),
        migrations.AddField(
            model_name="run",
            name="unique_key",
            field=models.CharField(help_text="One enqueued run of this key waits or runs at a time.", max_length=255, null=True, verbose_name="unique key"),
        ),
        migrations.AddField(
            model_name="run",
            name="expires_at",
            field=models.DateTimeField(help_text="An enqueued run that has not begun by then is missed.", null=True, verbose_name="expires at"),
        ),
        migrations.AddField(
            model_name="run",
            name="policies",
            field=models.JSONField(help_text="Of an enqueued run: its retries, as its task declared them.", null=True, verbose_name="policies"),
        ),
        migrations.RunSQL(_NOTIFIED.format(queue="queue, "), _NOTIFIED.format(queue="")),
    ]
