from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.alerts import MessageKind, NotificationState, Severity
from scheduler.models.alerts.channel import Channel
from scheduler.models.alerts.rule import Rule


class Notification(models.Model):
    """
    One message to one channel with its outcome: the outbox of alerts.

    Its id stays the same over all tries, so that a receiver can tell a repetition. ``batch`` says which incidents it is
    about: those whose ``opened_in`` (or, for "recovered", ``closed_in``) it is. The text is rendered when it is sent,
    so that a delayed message is up to date.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(
        Channel, verbose_name=_("channel"), on_delete=models.CASCADE, related_name="notifications"
    )
    rule = models.ForeignKey(Rule, verbose_name=_("rule"), null=True, on_delete=models.SET_NULL, related_name="+")
    rule_name = models.CharField(_("rule"), max_length=100, blank=True, default="", db_default="")
    kind = models.CharField(_("kind"), max_length=16, choices=[(word.value, word.value) for word in MessageKind])
    severity = models.CharField(_("severity"), max_length=16, default=Severity.WARNING, db_default=Severity.WARNING)
    batch = models.UUIDField(_("batch"), null=True)
    thread = models.UUIDField(_("thread"), null=True, help_text=_("The batch that opened the thread."))
    state = models.CharField(
        _("state"),
        max_length=16,
        choices=[(word.value, word.value) for word in NotificationState],
        default=NotificationState.PENDING,
        db_default=NotificationState.PENDING,
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0, db_default=0)
    due_at = models.DateTimeField(_("next attempt at"), db_default=Now())
    leased_until = models.DateTimeField(_("leased until"), null=True, help_text=_("Held by a sender until this time."))
    may_have_arrived = models.BooleanField(
        _("may have arrived"), default=False, db_default=False, help_text=_("An attempt ended without a clear answer.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    tried_at = models.DateTimeField(_("last attempt at"), null=True)
    sent_at = models.DateTimeField(_("sent at"), null=True)
    answer = models.TextField(
        _("answer"), blank=True, default="", db_default="", help_text=_("Answer to the last attempt.")
    )
    answer_message = models.JSONField(
        null=True,
        editable=False,
        help_text=_("The answer as data, where the scheduler wrote it: shown in the language of the reader."),
    )
    subject = models.TextField(_("subject"), blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-created_at", "id")
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(state=NotificationState.PENDING), name="scheduler_notification_due"
            ),
            models.Index(fields=["channel", "sent_at"], name="scheduler_notification_sent"),
            models.Index(fields=["thread", "channel"], name="scheduler_notification_thread"),
            models.Index(fields=["-created_at"], name="scheduler_notification_newest"),
        ]
        constraints = [
            # A batch is told to a channel once; reminders come again.
            models.UniqueConstraint(
                fields=["batch", "channel", "kind"],
                condition=~Q(kind__in=[MessageKind.REMINDER, MessageKind.CHANGED]),
                name="scheduler_notification_once",
            )
        ]

    def __str__(self) -> str:
        return self.subject or f"{self.kind} ({self.state})"


class AlertChange(models.Model):
    """One change of a rule or a channel: who, when, through what, and what it changed. It outlives both."""

    about = models.CharField(_("about"), max_length=8, choices=[("rule", _("rule")), ("channel", _("channel"))])
    key = models.BigIntegerField(_("id"))
    name = models.CharField(_("name"), max_length=100)
    action = models.CharField(
        _("action"),
        max_length=16,
        choices=[("created", _("created")), ("edited", _("edited")), ("deleted", _("deleted"))],
    )
    actor = models.CharField(_("who"), max_length=150, blank=True, default="")
    via = models.CharField(_("via"), max_length=16)
    changes = models.JSONField(
        _("changes"), default=dict, help_text=_("Old and new value by field, with secrets masked.")
    )
    changed_at = models.DateTimeField(_("changed at"), db_default=Now())

    class Meta:
        verbose_name = _("change of an alert")
        verbose_name_plural = _("changes of alerts")
        default_permissions = ()
        ordering = ("-id",)
        indexes = [models.Index(fields=["about", "key", "-id"], name="scheduler_alertchange_of")]

    def __str__(self) -> str:
        return f"{self.about} {self.name} {self.action}"
