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
        _("of these"), max_length=255, blank=True, default="", help_text=_("The tag, the task or the id of the job.")
    )
    severity = models.CharField(_("severity"), max_length=16, choices=_pairs(Severity), default=Severity.WARNING)
    threshold = models.PositiveIntegerField(_("times"), null=True, blank=True)
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    factor = models.FloatField(
        _("times its usual run time"), null=True, blank=True, help_text=_("Of 95 in 100 of its latest runs.")
    )
    samples = models.PositiveIntegerField(
        _("least runs"), null=True, blank=True, help_text=_("Before its usual run time is known.")
    )
    path = models.CharField(
        _("value in the result"), max_length=255, blank=True, default="", help_text=_("Such as documents.new.")
    )
    operator = models.CharField(_("compared"), max_length=2, blank=True, default="", choices=_pairs(Operator))
    value = models.JSONField(_("with"), null=True, blank=True)
    channels = models.ManyToManyField(Channel, verbose_name=_("channels"), blank=True, related_name="rules")
    escalate_after = models.FloatField(
        _("escalate after"), null=True, blank=True, help_text=_("Seconds without an acknowledgement. Empty: never.")
    )
    escalation_channels = models.ManyToManyField(
        Channel, verbose_name=_("escalate to"), blank=True, related_name="escalations"
    )
    told_at = models.DateTimeField(
        _("told at"), null=True, blank=True, editable=False, help_text=_("When it last opened a message.")
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
