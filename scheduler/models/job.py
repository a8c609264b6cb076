from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from scheduler.core.states import JobSource, JobState


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
    description = models.TextField(_("description"), blank=True, default="")
    task = models.CharField(_("task"), max_length=255, help_text=_("The name of a registered task."))
    args = models.JSONField(_("positional arguments"), default=list, blank=True)
    kwargs = models.JSONField(_("arguments"), default=dict, blank=True)
    trigger = models.JSONField(_("trigger"), help_text=_("When the job fires, as JSON."))
    executor = models.CharField(_("executor"), max_length=64, default="default")
    priority = models.SmallIntegerField(_("priority"), default=0, help_text=_("Higher runs first when nodes are busy."))
    coalesce = models.BooleanField(
        _("coalesce"), default=True, help_text=_("After an outage run once, not once for each fire time that passed.")
    )
    max_instances = models.PositiveIntegerField(
        _("max instances"), default=1, help_text=_("How many runs may be active at once, over all nodes.")
    )
    misfire_grace_time = models.PositiveIntegerField(
        _("misfire grace time"),
        null=True,
        blank=True,
        default=300,
        help_text=_("Seconds. A fire time noticed later than this is recorded as missed. Empty: never too late."),
    )
    rerun_if_interrupted = models.BooleanField(
        _("rerun if interrupted"), default=False, help_text=_("Run again when a node dies in the middle of a run.")
    )
    state = models.CharField(_("state"), max_length=16, choices=JobState.pairs(), default=JobState.ACTIVE)
    state_reason = models.TextField(_("reason"), blank=True, default="")
    state_changed_at = models.DateTimeField(_("state changed at"), null=True, blank=True)
    state_changed_by = models.CharField(_("state changed by"), max_length=150, blank=True, default="")
    source = models.CharField(_("source"), max_length=16, choices=JobSource.pairs(), default=JobSource.CODE)
    created_at = models.DateTimeField(_("created at"))
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="")
    updated_at = models.DateTimeField(_("updated at"))
    updated_by = models.CharField(_("updated by"), max_length=150, blank=True, default="")
    needs_inspection = models.BooleanField(
        _("needs inspection"),
        default=True,
        help_text=_("Written past the services: a node checks the definition and computes when it is due."),
    )
    needs_rescheduling = models.BooleanField(
        _("needs rescheduling"),
        default=False,
        help_text=_("Its trigger was changed past the services: when it is due is computed anew."),
    )
    interrupted_at = models.DateTimeField(
        _("interrupted at"),
        null=True,
        blank=True,
        help_text=_("The fire time that was next when the job broke: from here on it is accounted for again."),
    )
    version = models.PositiveIntegerField(
        _("version"), default=1, help_text=_("Grows with every change of the definition.")
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
        ]
        indexes = [
            models.Index(fields=["state"], name="scheduler_job_state"),
            models.Index(fields=["task"], name="scheduler_job_task"),
            models.Index(fields=["needs_inspection"], condition=Q(needs_inspection=True), name="scheduler_job_inspect"),
        ]

    def __str__(self) -> str:
        return self.name
