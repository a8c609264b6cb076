from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class NodeMeasure(models.Model):
    """Measurements of a node with every heartbeat, for health and metrics. One row for each node."""

    node = models.OneToOneField(
        "scheduler.Node", primary_key=True, on_delete=models.CASCADE, db_constraint=False, related_name="measure"
    )
    clock_at = models.DateTimeField(_("clock"), help_text=_("The node's own clock when it said this."))
    reported_at = models.DateTimeField(_("reported at"), db_default=Now(), help_text=_("The database's clock."))
    backlog = models.PositiveIntegerField(_("backlog"), help_text=_("Outcomes in its memory, not recorded yet."))
    backlog_seconds = models.FloatField(
        _("backlog seconds"), null=True, help_text=_("Time since the end of the run whose outcome has waited longest.")
    )
    tick_seconds = models.FloatField(_("tick seconds"), null=True, help_text=_("Duration of its latest pass."))
    busy = models.JSONField(_("busy"), default=dict, help_text=_("Runs that have begun, by executor."))
    waiting = models.JSONField(_("waiting"), default=dict, help_text=_("Runs taken that have not begun, by executor."))
    connections = models.PositiveIntegerField(
        _("connections"), default=0, help_text=_("Pooled database connections in use.")
    )

    memory_bytes = models.BigIntegerField(
        _("memory"), null=True, help_text=_("Resident memory of the node and its child processes.")
    )
    processors = models.FloatField(
        _("processors"), null=True, help_text=_("Processors that they kept busy since the report before.")
    )

    class Meta:
        verbose_name = _("measures of a node")
        verbose_name_plural = _("measures of nodes")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.node_id} at {self.reported_at}"
