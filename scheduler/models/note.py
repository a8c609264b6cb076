from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from scheduler.core.states import NoteKind


class RunNote(models.Model):
    """
    A note of a person on a run, or the fact that somebody took it on or released it.

    Notes are never changed, so that they are the history as well. They go with their run.
    """

    run = models.ForeignKey(
        "scheduler.Run",
        verbose_name=_("run"),
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="notes",
    )
    job_key = models.CharField(_("job id"), max_length=255)
    kind = models.CharField(_("kind"), max_length=16, choices=NoteKind.pairs(), default=NoteKind.NOTE)
    text = models.TextField(_("text"), blank=True, default="")
    author = models.CharField(_("author"), max_length=150, blank=True, default="")
    via = models.CharField(_("through"), max_length=16, default="code")
    created_at = models.DateTimeField(_("created at"), db_default=Now())

    class Meta:
        verbose_name = _("note on a run")
        verbose_name_plural = _("notes on runs")
        # Who sees a run sees its notes; a permission of runs allows to write them.
        default_permissions = ()
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["run", "-id"], name="scheduler_note_of_run"),
            models.Index(
                fields=["job_key", "-id"], condition=~Q(kind=NoteKind.NOTE), name="scheduler_note_taken_of_job"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author}: {self.kind} {self.run_id}"
