from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from scheduler.core.queues import tracks
from scheduler.core.states import RunState


class Rollup(models.Model):
    """The outcomes of a job's runs in one hour, written with the outcomes, so that queries never count the ledger."""

    pk = models.CompositePrimaryKey("job_key", "hour")
    job_key = models.CharField(_("job id"), max_length=255)
    hour = models.DateTimeField(
        pgettext_lazy("of a roll-up", "hour"), help_text=_("The hour in which the runs finished, in UTC.")
    )
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    timed_out = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    interrupted = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0, help_text=_("Fire times, not rows."))
    skipped = models.PositiveIntegerField(default=0, help_text=_("Fire times, not rows."))
    left_out = models.PositiveIntegerField(
        default=0, db_default=0, help_text=_("Of those that were skipped: on purpose, by a calendar or the task.")
    )
    run_seconds = models.FloatField(_("run seconds"), default=0, help_text=_("Sum over the runs that began."))
    last_finished_at = models.DateTimeField(_("last finished at"))

    class Meta:
        verbose_name = _("hourly roll-up")
        verbose_name_plural = _("hourly roll-ups")
        ordering = ("-hour", "job_key")
        # Rows are added hour after hour: a BRIN index finds a window of time and costs next to nothing to keep.
        indexes: ClassVar = [BrinIndex(fields=["hour"], name="scheduler_rollup_hour")]

    def __str__(self) -> str:
        return f"{self.job_key} {self.hour:%Y-%m-%d %H}h"


class Counter(models.Model):
    """
    Numbers and durations of a task's runs by state and node: totals that never shrink.

    Rows for each node, so that nodes never wait for each other. Readers add them up.
    """

    node = models.UUIDField(_("node"))
    task = models.CharField(_("task"), max_length=255)
    state = models.CharField(_("state"), max_length=16, choices=RunState.pairs())
    runs = models.PositiveBigIntegerField(default=0)
    run_seconds = models.FloatField(default=0)
    run_buckets = ArrayField(models.BigIntegerField(), help_text=_("Runs by duration, not cumulative."))
    lag_seconds = models.FloatField(default=0, help_text=_("Sum of the time from being due to beginning."))
    lag_buckets = ArrayField(models.BigIntegerField(), help_text=_("Runs by lag, not cumulative."))

    class Meta:
        verbose_name = _("counter")
        verbose_name_plural = _("counters")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "task", "state"], name="scheduler_counter_once_per_node_task_state")
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.state}: {self.runs}"


class QueueCounter(models.Model):
    """
    The number of runs of a queue that ran and ended, by node and five minutes. The clean-up adds old rows up.

    Rows for each node, so that nodes never wait for each other. Readers add them up.
    """

    node = models.UUIDField(_("node"))
    queue = models.CharField(_("queue"), max_length=tracks.LONGEST_NAME)
    since = models.DateTimeField(_("since"))
    runs = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("counter of a queue")
        verbose_name_plural = _("counters of queues")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["node", "queue", "since"], name="scheduler_queuecounter_once")
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.since:%Y-%m-%d %H:%M}: {self.runs}"


class TaskStreak(models.Model):
    """
    The failures in a row of enqueued runs of a task in a queue, since the last success. A success deletes the row.

    The recorder writes it, and the database judges it by the alert rules, as it does jobs.
    """

    task = models.CharField(_("task"), max_length=255)
    queue = models.CharField(_("queue"), max_length=64)
    failures = models.PositiveIntegerField(_("failures in a row"))
    failed_at = models.DateTimeField(_("failed at"), help_text=_("When the latest of them ended."))
    run = models.BigIntegerField(_("run"), help_text=_("The latest of them."))

    class Meta:
        verbose_name = _("failures of a task")
        verbose_name_plural = _("failures of tasks")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["task", "queue"], name="scheduler_taskstreak_one_of_task_and_queue")
        ]

    def __str__(self) -> str:
        return f"{self.task} in {self.queue}: {self.failures}"
