from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.states import NodeKind, NodeState
from scheduler.models.reason import get_reason, reason_code, reason_params, set_reason


class Node(models.Model):
    """
    One ``runscheduler`` process, or one worker of remote executors.

    Its id is new at each start, so that an old self is never mistaken for it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=255)
    host = models.CharField(_("host"), max_length=255)
    pid = models.IntegerField(_("process id"))
    version = models.CharField(_("version"), max_length=64)
    kind = models.CharField(
        _("kind"),
        max_length=16,
        choices=NodeKind.pairs(),
        default=NodeKind.NODE,
        db_default=NodeKind.NODE.value,
        help_text=_("A node plans and runs jobs. A worker runs what a broker brings to it."),
    )
    executors = models.JSONField(_("executors"), default=dict, help_text=_("Runs at once, by executor."))
    queues = models.JSONField(
        _("queues"), default=list, db_default=models.Value([], models.JSONField()), help_text=_("Empty: all of them.")
    )
    stuck = models.PositiveIntegerField(
        _("stuck threads"),
        default=0,
        db_default=0,
        help_text=_("Threads whose run has timed out and whose code still goes on."),
    )
    tasks = models.JSONField(_("tasks"), default=list, help_text=_("The names of the tasks that it knows."))
    tzdata = models.CharField(
        _("time zone data"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text=_("The release of the time zone rules by which it computes fire times."),
    )
    state = models.CharField(_("state"), max_length=16, choices=NodeState.pairs(), default=NodeState.RUNNING)
    reason_text = models.TextField(
        _("reason"), db_column="reason", blank=True, default="", help_text=_("As earlier releases wrote it.")
    )
    reason_code = reason_code()
    reason_params = reason_params()
    drained_at = models.DateTimeField(
        _("drained at"), null=True, help_text=_("Since then it takes no more runs. Those that it has begun go on.")
    )
    drained_by = models.CharField(_("drained by"), max_length=150, blank=True, default="", db_default="")
    started_at = models.DateTimeField(_("started at"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))
    stopped_at = models.DateTimeField(_("stopped at"), null=True)

    reason = property(get_reason, set_reason)

    class Meta:
        verbose_name = _("node")
        verbose_name_plural = _("nodes")
        ordering = ("-started_at", "id")
        permissions = [("drain_node", "Can drain node")]
        indexes = [models.Index(fields=["state", "heartbeat_at"], name="scheduler_node_state_beat")]

    def __str__(self) -> str:
        return f"{self.name} ({self.pid})"


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
    brokers = models.JSONField(
        _("brokers"),
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        help_text=_("Brokers that refused its last messages, each with the reason and since when."),
    )
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
