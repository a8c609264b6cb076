"""Limits on runs: paused queues, and limits by key, with the pace of each and the runs that wait or hold a place."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.queues import tracks


class Queue(models.Model):
    """A queue that somebody paused, or whose runs are kept for other times than those of the settings."""

    name = models.CharField(_("name"), max_length=tracks.LONGEST_NAME, primary_key=True)
    paused_at = models.DateTimeField(_("paused at"), null=True)
    paused_until = models.DateTimeField(_("paused until"), null=True)
    paused_by = models.CharField(_("paused by"), max_length=150, blank=True, default="", db_default="")
    pause_reason = models.TextField(_("reason"), blank=True, default="", db_default="")
    keep_successes_days = models.FloatField(_("days for which successes are kept"), null=True, blank=True)
    keep_failures_days = models.FloatField(_("days for which other runs are kept"), null=True, blank=True)

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        default_permissions = ("view", "change")
        permissions = [("pause_queue", "Can pause and resume queue")]
        db_table = "scheduler_queue"

    def __str__(self) -> str:
        return self.name


class RateLimit(models.Model):
    """The pace of one key."""

    key = models.CharField(_("key"), max_length=255, primary_key=True)
    next_at = models.DateTimeField(_("next start at"))

    class Meta:
        verbose_name = _("rate limit")
        verbose_name_plural = _("rate limits")
        default_permissions = ()
        db_table = "scheduler_rate_limit"

    def __str__(self) -> str:
        return self.key


class LimitedRun(models.Model):
    """
    A run of a task with limits, from its first attempt to start until a while after its end.

    A run that waits is in no queue: it belongs to no node, is due much later and comes last, until it is granted.
    """

    run = models.BigIntegerField(_("run"), primary_key=True)
    lane = models.CharField(
        _("lane"), max_length=600, help_text=_("The same for runs that wait for the same, one after another.")
    )
    label = models.CharField(_("limit"), max_length=600)
    rate_key = models.CharField(_("key of the rate"), max_length=255)
    rate_seconds = models.FloatField(_("seconds between starts"))
    concurrency_key = models.CharField(_("key of the concurrency"), max_length=255)
    concurrency_most = models.IntegerField(_("runs at once"))
    priority = models.SmallIntegerField(_("priority"))
    asked_at = models.DateTimeField(_("waits since"), db_default=Now())
    granted_at = models.DateTimeField(_("may start at"), null=True)

    class Meta:
        verbose_name = _("limited run")
        verbose_name_plural = _("limited runs")
        default_permissions = ()
        db_table = "scheduler_limited_run"
        indexes = [
            models.Index(
                "lane",
                F("priority").desc(),
                "run",
                condition=Q(granted_at__isnull=True),
                name="scheduler_limited_waiting",
            ),
            models.Index(
                fields=["concurrency_key"], condition=Q(granted_at__isnull=False), name="scheduler_limited_granted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run}: {self.label}"
