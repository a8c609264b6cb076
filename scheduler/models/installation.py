from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Installation(models.Model):
    """Facts shared by the nodes of this database: one row, written by the first node."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    environment = models.CharField(
        _("environment"), max_length=255, blank=True, help_text=_("Nodes of another environment refuse to start.")
    )
    environment_set_at = models.DateTimeField(_("environment set at"), db_default=Now())
    tzdata = models.CharField(
        _("time zone data"),
        max_length=64,
        blank=True,
        default="",
        help_text=_("By which next fire times were computed."),
    )
    cleaned_up_at = models.DateTimeField(
        _("cleaned up at"), null=True, help_text=_("When old rows were deleted the last time.")
    )
    outputs_dropped_to = models.BigIntegerField(
        _("outputs dropped to"), null=True, help_text=_("The last run up to which the output of all was dropped.")
    )

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=1), name="scheduler_installation_is_one")]

    def __str__(self) -> str:
        return self.environment or "(no environment)"
