from __future__ import annotations

from django.db import models
from django.db.models import Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Declaration(models.Model):
    """
    A job that code or a file declares, as it was at the last synchronisation.

    It outlives its job, so that a job that a person deleted is not created again: no foreign key.
    """

    key = models.CharField(_("key"), max_length=255, unique=True)
    job_key = models.CharField(_("job id"), max_length=255, unique=True)
    owner = models.CharField(
        _("owner"),
        max_length=255,
        blank=True,
        default="",
        db_default="",
        help_text=_("The source that synchronises it: the deployment (empty), a template or a provider of rows."),
    )
    template_version = models.ForeignKey(
        "scheduler.TemplateVersion",
        models.PROTECT,
        verbose_name=_("template version"),
        null=True,
        blank=True,
        related_name="instances",
    )
    parameters = models.JSONField(
        _("parameters"), null=True, blank=True, help_text=_("Of an instance of a template. Secrets are sealed.")
    )
    source = models.CharField(_("source"), max_length=255, help_text=_("The code, or the name of a file."))
    origin = models.CharField(_("declared at"), max_length=255, help_text=_("A function, or a line of a file."))
    declared = models.JSONField(
        _("declared"), default=dict, help_text=_("Values by field at the last synchronisation. Secrets are digests.")
    )
    kept = models.JSONField(
        _("kept"),
        default=list,
        db_default=Value([], models.JSONField()),
        help_text=_("Fields whose stored value a person chose to keep: they do not count as drift."),
    )
    release = models.CharField(_("release"), max_length=64, blank=True, default="", db_default="")
    is_declared = models.BooleanField(
        _("is declared"), default=True, db_default=True, help_text=_("Whether the source still declares it.")
    )
    paused_at = models.DateTimeField(
        _("paused at"), null=True, blank=True, help_text=_("When the job was paused because its source dropped it.")
    )
    synced_at = models.DateTimeField(_("synchronised at"), db_default=Now())

    class Meta:
        verbose_name = _("declaration")
        verbose_name_plural = _("declarations")
        # Who may see jobs may see where they are declared.
        default_permissions = ()
        ordering = ("key",)
        indexes = [models.Index(fields=["owner", "key"], name="scheduler_declaration_owner")]

    def __str__(self) -> str:
        return self.key
