from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.alerts import Operator, RuleKind, Scope, Severity
from scheduler.models.alerts.channel import Channel


def _pairs(words: type[RuleKind] | type[Scope] | type[Severity] | type[Operator]) -> list[tuple[str, str]]:
    return [(word.value, word.value) for word in words]


class Rule(models.Model):
    """The condition to watch, and the channels. ``core.alerts.KINDS`` lists the parameters of a kind."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    description = models.TextField(_("description"), blank=True, default="")
    enabled = models.BooleanField(_("enabled"), default=True)
    kind = models.CharField(_("kind"), max_length=16, choices=_pairs(RuleKind))
    scope = models.CharField(_("watches"), max_length=16, choices=_pairs(Scope), default=Scope.EVERYTHING)
    target = models.CharField(
        _("name or id"),
        max_length=255,
        blank=True,
        default="",
        help_text=_("The tag, the name of the task, or the id of the job."),
    )
    severity = models.CharField(_("severity"), max_length=16, choices=_pairs(Severity), default=Severity.WARNING)
    threshold = models.PositiveIntegerField(_("times"), null=True, blank=True)
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    factor = models.FloatField(
        _("times the usual duration"), null=True, blank=True, help_text=_("Usual is the p95 of the latest runs.")
    )
    samples = models.PositiveIntegerField(
        _("minimum runs"), null=True, blank=True, help_text=_("Number of runs needed to know the usual duration.")
    )
    path = models.CharField(
        _("value in the result"),
        max_length=255,
        blank=True,
        default="",
        help_text=_("Path in the result, such as documents.new."),
    )
    operator = models.CharField(_("compared"), max_length=2, blank=True, default="", choices=_pairs(Operator))
    value = models.JSONField(_("with"), null=True, blank=True)
    channels = models.ManyToManyField(Channel, verbose_name=_("channels"), blank=True, related_name="rules")
    escalate_after = models.FloatField(
        _("escalate after"),
        null=True,
        blank=True,
        help_text=_("Time without an acknowledgement, such as 30 min. Leave empty for never."),
    )
    escalation_channels = models.ManyToManyField(
        Channel, verbose_name=_("escalate to"), blank=True, related_name="escalations"
    )
    told_at = models.DateTimeField(
        _("last reported at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Time of the latest message that reported a new incident."),
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(scope=Scope.EVERYTHING, target="") | (~Q(scope=Scope.EVERYTHING) & ~Q(target="")),
                name="scheduler_rule_target_fits_scope",
            ),
        ]

    def __str__(self) -> str:
        return self.name
