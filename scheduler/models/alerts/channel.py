from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

DIGESTS = (("", _("none")), ("daily", _("daily")), ("weekly", _("weekly, on Mondays")))


class Channel(models.Model):
    """Where notifications go: some mail addresses, a webhook, a chat."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=64, help_text=_("Mail, webhook, or another kind that is installed."))
    config = models.JSONField(
        _("configuration"),
        default=dict,
        help_text=_("Settings of this kind of channel. Secrets are stored encrypted and shown masked."),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    language = models.CharField(
        _("language"), max_length=10, blank=True, default="", help_text=_("Language of the messages.")
    )
    per_minute = models.PositiveIntegerField(
        _("messages per minute"), default=30, help_text=_("Further messages wait.")
    )
    zone = models.CharField(
        _("time zone"), max_length=64, default="UTC", help_text=_("For quiet hours, the digest and times in messages.")
    )
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(
        _("quiet until"), null=True, blank=True, help_text=_("Messages wait until this time, except critical ones.")
    )
    digest = models.CharField(_("digest"), max_length=8, blank=True, default="", choices=DIGESTS)
    digest_at = models.TimeField(_("digest at"), default="08:00")
    next_digest_at = models.DateTimeField(_("next digest at"), null=True, blank=True)
    tested_at = models.DateTimeField(_("tested at"), null=True, blank=True)
    failing_since = models.DateTimeField(
        _("failing since"), null=True, blank=True, help_text=_("Time of the first consecutive failed attempt.")
    )
    last_error = models.TextField(_("last error"), blank=True, default="")
    last_error_message = models.JSONField(
        null=True,
        editable=False,
        help_text=_("The error as data, where the scheduler wrote it: shown in the language of the reader."),
    )
    last_sent_at = models.DateTimeField(_("last sent at"), null=True, blank=True)
    sent = models.PositiveBigIntegerField(_("sent"), default=0, db_default=0, help_text=_("Total number of messages."))
    failed = models.PositiveBigIntegerField(
        _("failed attempts"), default=0, db_default=0, help_text=_("Total number of failed attempts.")
    )
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    updated_at = models.DateTimeField(_("updated at"), db_default=Now())

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ("name",)
        permissions = [("enter_apprise_url", "Can enter Apprise URLs, whose requests are not guarded")]
        constraints = [
            models.CheckConstraint(condition=Q(per_minute__gte=1), name="scheduler_channel_sends_something"),
        ]

    def __str__(self) -> str:
        return self.name
