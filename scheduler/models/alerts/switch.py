from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Switch(models.Model):
    """
    A dead-man's switch: an address of another service that is requested while all is well.

    That service alerts when the requests stop, so that it also notices the end of the last node. With a job, it is told
    how each run of the job went. Without one, that the scheduler is healthy.
    """

    name = models.CharField(_("name"), max_length=100, unique=True)
    job_key = models.CharField(
        _("job id"),
        max_length=255,
        blank=True,
        default="",
        help_text=_("Leave empty to watch the scheduler as a whole."),
    )
    url = models.JSONField(
        _("address"), help_text=_("Stored encrypted. “/start” and “/fail” are appended where they apply.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    every_seconds = models.FloatField(_("every"), default=60.0)
    next_at = models.DateTimeField(_("next request at"), db_default=Now())
    seen_run = models.BigIntegerField(_("run seen last"), null=True, editable=False)
    seen_start = models.BigIntegerField(_("start seen last"), null=True, editable=False)
    requested_at = models.DateTimeField(_("requested at"), null=True, editable=False)
    answer = models.TextField(_("answer"), blank=True, default="", db_default="", editable=False)
    answer_message = models.JSONField(
        null=True,
        editable=False,
        help_text=_("The answer as data, where the scheduler wrote it: shown in the language of the reader."),
    )

    class Meta:
        verbose_name = _("dead-man's switch")
        verbose_name_plural = _("dead-man's switches")
        ordering = ("name",)
        indexes = [models.Index(fields=["next_at"], name="scheduler_switch_next")]

    def __str__(self) -> str:
        return self.name
