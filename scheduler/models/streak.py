from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class TaskStreak(models.Model):
    """
    The failures in a row of enqueued runs of a task in a queue, since the last success. A success deletes the row.

    The recorder writes it, and the database judges it by the alert rules, as it does jobs.
    """

    task = models.CharField(_("task"), max_length=255)
    queue = models.CharField(_("queue"), max_length=64)
    failures = models.PositiveIntegerField(_("failures in a row"))
    failed_at = models.DateTimeField(_("failed at"), help_text=_("When the latest of them ended."))
    run = models.BigIntegerField(_("run"), help_text=_("The latest of them."))

    class Meta:
        verbose_name = _("failures of a task")
        verbose_name_plural = _("failures of tasks")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["task", "queue"], name="scheduler_taskstreak_one_of_task_and_queue")
        ]

    def __str__(self) -> str:
        return f"{self.task} in {self.queue}: {self.failures}"
