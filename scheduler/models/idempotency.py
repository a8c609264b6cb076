from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class IdempotencyKey(models.Model):
    """The answer to a request that must not be carried out twice, kept for a day under the key that came with it."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        # The users may be in another database, and a key is forgotten after a day anyhow.
        db_constraint=False,
        on_delete=models.DO_NOTHING,
        related_name="+",
    )
    path = models.CharField(_("path"), max_length=500)
    key = models.CharField(_("key"), max_length=255)
    body_hash = models.CharField(_("hash of the body"), max_length=64)
    status = models.PositiveSmallIntegerField(_("status"))
    body = models.JSONField(_("body"))
    headers = models.JSONField(_("headers"), default=dict)
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("idempotency key")
        verbose_name_plural = _("idempotency keys")
        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "path", "key"], name="scheduler_idempotency_key_once")
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="scheduler_idempotency_created")]

    def __str__(self) -> str:
        return f"{self.path} {self.key}"
