from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Template(models.Model):
    """A job definition with parameters, in versions. Its instances are ordinary jobs."""

    slug = models.SlugField(_("slug"), max_length=100, unique=True, help_text=_("Used in addresses and commands."))
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(_("description"), blank=True, default="", db_default="")
    is_predefined = models.BooleanField(
        _("is predefined"), default=False, db_default=False, help_text=_("Shipped with the scheduler.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.title


class TemplateVersion(models.Model):
    """One version of a template. It is never changed."""

    template = models.ForeignKey(Template, models.CASCADE, verbose_name=_("template"), related_name="versions")
    number = models.PositiveIntegerField(_("version"))
    parameters = models.JSONField(_("parameters"), default=list)
    body = models.JSONField(_("job definition"), default=dict)
    note = models.CharField(
        _("note"), max_length=500, blank=True, default="", db_default="", help_text=_("The change and its reason.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("template version")
        verbose_name_plural = _("template versions")
        default_permissions = ()
        ordering = ("template", "-number")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["template", "number"], name="scheduler_template_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.number}"
