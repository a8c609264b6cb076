from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class BulkAction(models.Model):
    """One action on many jobs or runs: what was selected, and how far it has come."""

    subject = models.CharField(_("subject"), max_length=8, help_text=_("Jobs or runs."))
    action = models.CharField(_("action"), max_length=16)
    selection = models.JSONField(_("selection"), help_text=_("Ids, or the filter that finds them."))
    parameters = models.JSONField(_("parameters"), default=dict)
    total = models.PositiveIntegerField(_("total"), help_text=_("Number of rows selected when it began."))
    cursor = models.CharField(_("cursor"), max_length=255, blank=True, default="", db_default="")
    upto = models.CharField(_("up to"), max_length=255, blank=True, default="", db_default="")
    done = models.PositiveIntegerField(_("done"), default=0, db_default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0, db_default=0)
    refusals = models.JSONField(_("refusals"), default=list, help_text=_("Of the first ones: the id, and why."))
    requested_by = models.CharField(_("requested by"), max_length=150, blank=True, default="")
    via = models.CharField(_("via"), max_length=16, default="code")
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    touched_at = models.DateTimeField(_("touched at"), null=True)
    stop_requested_at = models.DateTimeField(_("stop requested at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        # Who may see jobs or runs may see what was done to many of them.
        default_permissions = ()
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.action} {self.subject} {self.pk}"
