from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from scheduler.core.states import JobSource, JobState, Overlap


class JobQuerySet(models.QuerySet["Job"]):
    def active(self) -> JobQuerySet:
        return self.filter(state=JobState.ACTIVE)

    def paused(self) -> JobQuerySet:
        return self.filter(state=JobState.PAUSED)

    def broken(self) -> JobQuerySet:
        return self.filter(state=JobState.BROKEN)


class Job(DjangoJob):
    """
    A task, its arguments, a trigger and the policies for running it.

    The columns here are the truth. The inherited ``job_state`` is derived from them for readers of the stock
    job store; the inherited ``next_run_time`` alone says when the job is due (``NULL``: paused, finished or broken).
    """

    name = models.CharField(_("name"), max_length=255)
    tags = ArrayField(
        models.CharField(max_length=50),
        verbose_name=_("tags"),
        default=list,
        db_default=Value([], ArrayField(models.CharField(max_length=50))),
        blank=True,
        help_text=_("Words to find it by."),
    )
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    task = models.CharField(_("task"), max_length=255, help_text=_("The name of a registered task."))
    args = models.JSONField(
        _("positional arguments"), default=list, db_default=Value([], models.JSONField()), blank=True
    )
    kwargs = models.JSONField(_("arguments"), default=dict, db_default=Value({}, models.JSONField()), blank=True)
    trigger = models.JSONField(_("trigger"), help_text=_("When the job fires, as JSON."))
    executor = models.CharField(_("executor"), max_length=64, default="default", db_default="default")
    priority = models.SmallIntegerField(
        _("priority"), default=0, db_default=0, help_text=_("Higher runs first when nodes are busy.")
    )
    coalesce = models.BooleanField(
        _("coalesce"),
        default=True,
        db_default=True,
        help_text=_("After an outage run once, not once for each fire time that passed."),
    )
    max_instances = models.PositiveIntegerField(
        _("max instances"), default=1, db_default=1, help_text=_("How many runs may be active at once, over all nodes.")
    )
    misfire_grace_time = models.PositiveIntegerField(
        _("misfire grace time"),
        null=True,
        blank=True,
        default=300,
        db_default=300,
        help_text=_("Seconds. A fire time noticed later than this is recorded as missed. Empty: never too late."),
    )
    rerun_if_interrupted = models.BooleanField(
        _("rerun if interrupted"),
        default=False,
        db_default=False,
        help_text=_("Run again when a node dies in the middle of a run."),
    )
    overlap = models.CharField(
        _("overlap"),
        max_length=8,
        choices=Overlap.pairs(),
        default=Overlap.SKIP,
        db_default=Overlap.SKIP,
        help_text=_("When max instances are active: skip the fire time, or let one run wait for its turn."),
    )
    timeout = models.FloatField(
        _("timeout"), null=True, blank=True, help_text=_("Seconds a run may take. Empty: what the task declares.")
    )
    max_retries = models.PositiveSmallIntegerField(
        _("max retries"),
        default=0,
        db_default=0,
        help_text=_("How often a run that failed or timed out is tried again."),
    )
    retry_delay = models.FloatField(
        _("retry delay"), default=30.0, db_default=30.0, help_text=_("Seconds before the first retry.")
    )
    retry_backoff = models.FloatField(
        _("retry backoff"), default=2.0, db_default=2.0, help_text=_("Each further delay is this many times longer.")
    )
    retry_delay_cap = models.FloatField(
        _("retry delay cap"),
        default=3600.0,
        db_default=3600.0,
        help_text=_("Seconds. No delay is longer, before jitter."),
    )
    retry_jitter = models.FloatField(
        _("retry jitter"),
        default=0.1,
        db_default=0.1,
        help_text=_("Each delay is longer by a random part of up to this share."),
    )
    pause_after_failures = models.PositiveIntegerField(
        _("pause after failures"),
        null=True,
        blank=True,
        help_text=_("Pause the job after so many failures in a row, retries not counted. Empty: never."),
    )
    consecutive_failures = models.PositiveIntegerField(_("consecutive failures"), default=0, db_default=0)
    state = models.CharField(
        _("state"), max_length=16, choices=JobState.pairs(), default=JobState.ACTIVE, db_default=JobState.ACTIVE
    )
    state_reason = models.TextField(_("reason"), blank=True, default="", db_default="")
    paused_until = models.DateTimeField(
        _("paused until"),
        null=True,
        blank=True,
        help_text=_("When a paused job resumes by itself. Empty: when somebody resumes it."),
    )
    state_changed_at = models.DateTimeField(_("state changed at"), null=True, blank=True)
    state_changed_by = models.CharField(_("state changed by"), max_length=150, blank=True, default="", db_default="")
    source = models.CharField(
        _("source"), max_length=16, choices=JobSource.pairs(), default=JobSource.CODE, db_default=JobSource.CODE
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="", db_default="")
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())
    updated_by = models.CharField(_("updated by"), max_length=150, blank=True, default="", db_default="")
    needs_inspection = models.BooleanField(
        _("needs inspection"),
        default=True,
        db_default=True,
        help_text=_("Written past the services: a node checks the definition and computes when it is due."),
    )
    needs_rescheduling = models.BooleanField(
        _("needs rescheduling"),
        default=False,
        db_default=False,
        help_text=_("Its trigger was changed past the services: when it is due is computed anew."),
    )
    interrupted_at = models.DateTimeField(
        _("interrupted at"),
        null=True,
        blank=True,
        help_text=_("The fire time that was next when the job broke: from here on it is accounted for again."),
    )
    version = models.PositiveIntegerField(
        _("version"), default=1, db_default=1, help_text=_("Grows with every change of the definition.")
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("djangojob_ptr_id",)
        permissions = [
            ("pause_job", "Can pause and resume job"),
            ("run_job", "Can run job now"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(max_instances__gte=1), name="scheduler_job_has_an_instance"),
            models.CheckConstraint(
                condition=Q(timeout__isnull=True) | Q(timeout__gt=0), name="scheduler_job_timeout_is_positive"
            ),
        ]
        indexes = [
            models.Index(fields=["state"], name="scheduler_job_state"),
            models.Index(fields=["task"], name="scheduler_job_task"),
            GinIndex(fields=["tags"], name="scheduler_job_tags"),
            models.Index(fields=["needs_inspection"], condition=Q(needs_inspection=True), name="scheduler_job_inspect"),
            models.Index(
                fields=["paused_until"], condition=Q(paused_until__isnull=False), name="scheduler_job_paused_until"
            ),
            models.Index(
                fields=["consecutive_failures"],
                condition=Q(consecutive_failures__gt=0),
                name="scheduler_job_failing",
            ),
        ]

    def __str__(self) -> str:
        return self.name
