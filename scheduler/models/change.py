from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.states import ChangeAction, Via
from scheduler.models.reason import get_reason, reason_code, reason_params, set_reason


class Change(models.Model):
    """
    One change of a job: who, when, through what, why, and what it changed.

    A trigger of the database writes it in the statement that changes the job, so that no way of writing leaves it out
    (``docs/decisions/0011-our-own-change-history.md``). It is never changed, and outlives the job: no foreign key.
    """

    job_key = models.CharField(_("job id"), max_length=255)
    job_name = models.CharField(_("job"), max_length=255)
    version = models.PositiveIntegerField(_("version"), help_text=_("Of the job, after the change."))
    action = models.CharField(_("action"), max_length=16, choices=ChangeAction.pairs())
    actor = models.CharField(_("who"), max_length=150, blank=True, default="", db_default="")
    via = models.CharField(_("via"), max_length=16, choices=Via.pairs())
    reason_text = models.TextField(_("reason"), db_column="reason", blank=True, default="", db_default="")
    reason_code = reason_code()
    reason_params = reason_params()
    restored_version = models.PositiveIntegerField(_("restored version"), null=True, blank=True)
    changes = models.JSONField(
        _("changes"), default=dict, help_text=_("Old and new value by field. Secrets are sealed as in the job.")
    )
    definition = models.JSONField(
        _("definition"), help_text=_("The job's definition after the change, or the last one of a deleted job.")
    )
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())

    reason = property(get_reason, set_reason)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        # Who may see jobs may see how they came about.
        default_permissions = ()
        ordering = ("-id",)
        indexes = [models.Index(fields=["job_key", "-id"], name="scheduler_change_of_job")]

    def __str__(self) -> str:
        return f"{self.job_name} {self.version} {self.action}"
