"""Notes of database triggers for the nodes: fire times without a row, and jobs whose runs are still theirs."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class OwedWindow(models.Model):
    """
    Fire times of a job that no row of the ledger accounts for yet.

    A trigger writes it when somebody moves ``next_run_time`` past a fire time that has come, or deletes the job. A node
    enters them as skipped, and deletes it.
    """

    job_key = models.CharField(_("job id"), max_length=255)
    job_name = models.CharField(_("job name"), max_length=255)
    task = models.CharField(_("task"), max_length=255)
    executor = models.CharField(_("executor"), max_length=64)
    priority = models.SmallIntegerField(_("priority"), default=0)
    trigger = models.JSONField(_("trigger"), help_text=_("As it was: by it the fire times are computed."))
    first = models.DateTimeField(_("first"), help_text=_("The first fire time that is owed."))
    until = models.DateTimeField(_("until"), help_text=_("The last instant that is owed, included."))
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("owed window")
        verbose_name_plural = _("owed windows")
        default_permissions = ()
        db_table = "scheduler_owed"
        indexes = [models.Index(fields=["job_key", "first"], name="scheduler_owed_of_job")]

    def __str__(self) -> str:
        return f"{self.job_key}: {self.first} to {self.until}"


class RemovedJob(models.Model):
    """A job that was deleted and has so many runs that they are detached from it in the background."""

    job_key = models.CharField(_("job id"), max_length=255, primary_key=True)
    removed_at = models.DateTimeField(_("removed at"), db_default=Now())
    since = models.DateTimeField(
        _("detached until"), null=True, help_text=_("Runs that were scheduled before this are detached.")
    )
    again = models.DateTimeField(
        _("to be tried again"), null=True, help_text=_("The first run that was locked, and is tried again at the end.")
    )

    class Meta:
        verbose_name = _("removed job")
        verbose_name_plural = _("removed jobs")
        default_permissions = ()
        db_table = "scheduler_removed"

    def __str__(self) -> str:
        return self.job_key


class RestoredJob(models.Model):
    """A job that was deleted and restored, and gets the runs of its past back in the background."""

    job_key = models.CharField(_("job id"), max_length=255, primary_key=True)
    restored_at = models.DateTimeField(_("restored at"), db_default=Now())

    class Meta:
        verbose_name = _("restored job")
        verbose_name_plural = _("restored jobs")
        default_permissions = ()
        db_table = "scheduler_restored"

    def __str__(self) -> str:
        return self.job_key
