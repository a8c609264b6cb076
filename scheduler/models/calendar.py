from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.states import Via
from scheduler.core.triggers.calendars.named import During

_DURING = [
    (During.SKIP.value, _("Skip them")),
    (During.ONCE_AFTERWARDS.value, _("Skip them, and run once afterwards")),
]


class Calendar(models.Model):
    """A named set of days and of intervals, that triggers fire only on or not on."""

    name = models.SlugField(
        _("name"),
        max_length=64,
        unique=True,
        help_text=_("Triggers use this name: lower-case letters, digits and hyphens."),
    )
    title = models.CharField(_("title"), max_length=200, blank=True, default="", db_default="")
    rules = models.JSONField(_("rules"), default=list, help_text=_("One per line."))
    holidays = models.JSONField(
        _("holidays"), default=list, help_text=_("The holidays of its countries, when it was last saved.")
    )
    timezone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text=_("Leave empty to use the time zone of the trigger."),
    )
    tags = ArrayField(
        models.CharField(max_length=64),
        verbose_name=_("tags"),
        default=list,
        blank=True,
        db_default=[],
        help_text=_("Jobs with one of these tags do not run on its days: it is a maintenance window for them."),
    )
    during = models.CharField(
        _("runs during the window"),
        max_length=16,
        choices=_DURING,
        default=During.SKIP.value,
        db_default=During.SKIP.value,
    )
    digest = models.CharField(_("digest"), max_length=16, help_text=_("Of all that fire times depend on."))
    version = models.PositiveIntegerField(_("version"), default=1, db_default=1)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.CharField(_("created by"), max_length=150, blank=True, default="", db_default="")
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())
    updated_by = models.CharField(_("updated by"), max_length=150, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendars")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.title or self.name


class CalendarVersion(models.Model):
    """A calendar as it was from a change on. It is never changed, and outlives its calendar."""

    calendar_name = models.CharField(_("calendar"), max_length=64)
    version = models.PositiveIntegerField(_("version"))
    digest = models.CharField(_("digest"), max_length=16)
    content = models.JSONField(_("content"), help_text=_("All that fire times depend on."))
    action = models.CharField(_("action"), max_length=16)
    changes = models.JSONField(_("changes"), default=dict, help_text=_("Old and new value by field."))
    actor = models.CharField(_("who"), max_length=150, blank=True, default="", db_default="")
    via = models.CharField(_("through"), max_length=16, choices=Via.pairs(), default=Via.CODE)
    changed_at = models.DateTimeField(_("when"), db_default=Now())

    class Meta:
        verbose_name = _("change of a calendar")
        verbose_name_plural = _("changes of calendars")
        default_permissions = ()
        ordering = ("-id",)
        indexes: ClassVar = [
            models.Index(fields=["digest"], name="scheduler_calendar_digest"),
            models.Index(fields=["calendar_name", "-id"], name="scheduler_calendar_changes"),
        ]

    def __str__(self) -> str:
        return f"{self.calendar_name} {self.version}"
