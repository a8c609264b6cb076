from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.alerts import ClosedBecause
from scheduler.models.alerts.rule import Rule


class IncidentQuerySet(models.QuerySet["Incident"]):
    def open(self) -> IncidentQuerySet:
        return self.filter(closed_at__isnull=True)


class Incident(models.Model):
    """
    One period in which the condition of a rule held for one subject: a job, a task whose runs are enqueued in a queue,
    or a check of the scheduler itself.

    The database opens, counts and closes incidents of jobs and tasks in the transaction that records what happened (see
    ``store.alerts``). The row keeps the names of its rule and its job, so that it outlives both.
    """

    rule = models.ForeignKey(
        Rule,
        verbose_name=_("rule"),
        null=True,
        on_delete=models.SET_NULL,
        # Recording an outcome must not fail because somebody deletes a rule at that moment.
        db_constraint=False,
        related_name="incidents",
    )
    rule_name = models.CharField(_("rule"), max_length=100)
    kind = models.CharField(_("kind"), max_length=16)
    severity = models.CharField(_("severity"), max_length=16)
    subject = models.CharField(
        _("subject"),
        max_length=330,
        help_text=_("“job:” and its id, “task:” with a queue and a task, or “system:” and a check."),
    )
    job_key = models.CharField(_("job id"), max_length=255, blank=True, default="", db_default="")
    job_name = models.CharField(_("job"), max_length=255, blank=True, default="", db_default="")
    opened_at = models.DateTimeField(_("since"), db_default=Now())
    last_at = models.DateTimeField(_("last"), db_default=Now(), help_text=_("When it was last seen to hold."))
    count = models.PositiveIntegerField(_("times"), default=1, db_default=1)
    measured = models.FloatField(_("measured"), null=True, help_text=_("Failures in a row, seconds, or fire times."))
    text = models.TextField(_("what"), blank=True, default="", db_default="", help_text=_("First line of the error."))
    facts = models.JSONField(_("facts"), default=dict, db_default=Value({}, models.JSONField()))
    run = models.BigIntegerField(_("run"), null=True, help_text=_("The latest run that it is about."))
    error_kinds = ArrayField(
        models.TextField(),
        verbose_name=_("kinds of errors"),
        default=list,
        db_default=Value([], ArrayField(models.TextField())),
        help_text=_("Texts without their numbers that were seen so far: another one is a change."),
    )
    changed_at = models.DateTimeField(_("changed at"), null=True, help_text=_("A change that is not reported yet."))
    closed_at = models.DateTimeField(_("closed at"), null=True)
    closed_because = models.CharField(
        _("closed because"),
        max_length=16,
        blank=True,
        default="",
        db_default="",
        choices=[(word.value, word.value) for word in ClosedBecause],
    )
    closed_by = models.CharField(_("closed by"), max_length=150, blank=True, default="", db_default="")
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True)
    acknowledged_by = models.CharField(_("acknowledged by"), max_length=150, blank=True, default="", db_default="")
    snoozed_until = models.DateTimeField(_("snoozed until"), null=True)
    note = models.TextField(_("note"), blank=True, default="", db_default="")
    opened_in = models.UUIDField(_("opening batch"), null=True, help_text=_("The messages that told of it first."))
    closed_in = models.UUIDField(_("closing batch"), null=True, help_text=_("The messages that told of its end."))
    remind_at = models.DateTimeField(_("remind at"), null=True)
    reminders = models.PositiveIntegerField(_("reminders"), default=0, db_default=0)
    escalated_at = models.DateTimeField(_("escalated at"), null=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ("-id",)
        default_permissions = ("view",)
        permissions = [("acknowledge_incident", "Can acknowledge, snooze and close incident, and mute job")]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject"], condition=Q(closed_at__isnull=True), name="scheduler_incident_one_open"
            )
        ]
        indexes = [
            # A job's open incidents: what a recorded outcome looks for.
            models.Index(fields=["job_key"], condition=Q(closed_at__isnull=True), name="scheduler_incident_open_job"),
            models.Index(fields=["job_key", "-id"], name="scheduler_incident_of_job"),
            models.Index(fields=["opened_at"], condition=Q(opened_in__isnull=True), name="scheduler_incident_untold"),
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False, closed_in__isnull=True, opened_in__isnull=False),
                name="scheduler_incident_end_untold",
            ),
            models.Index(
                fields=["remind_at"],
                condition=Q(closed_at__isnull=True, remind_at__isnull=False),
                name="scheduler_incident_remind",
            ),
            models.Index(
                fields=["changed_at"], condition=Q(changed_at__isnull=False), name="scheduler_incident_changed"
            ),
            models.Index(fields=["opened_in"], name="scheduler_incident_opened_in"),
            models.Index(
                fields=["closed_in"], condition=Q(closed_in__isnull=False), name="scheduler_incident_closed_in"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.job_name or self.subject}"

    @property
    def job_id(self) -> str:
        """The id of its job, which may be deleted. Empty: it is about something else."""
        return "" if self.task else self.job_key

    @property
    def task(self) -> str:
        """The task whose enqueued runs it is about. Empty: it is about something else."""
        return self.job_key[1:] if self.subject.startswith("task:") else ""


class Mute(models.Model):
    """A job without messages until an instant. Its incidents are recorded nevertheless."""

    job_key = models.CharField(_("job id"), max_length=255, unique=True)
    until = models.DateTimeField(_("until"))
    muted_by = models.CharField(_("muted by"), max_length=150, blank=True, default="")
    reason = models.TextField(_("reason"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("mute")
        verbose_name_plural = _("mutes")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.job_key} until {self.until:%Y-%m-%d %H:%M %Z}"
