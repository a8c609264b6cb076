"""The material that was found."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from openlearn.scraping import addresses
from openlearn.scraping.models.source import Source


class Document(models.Model):
    """One piece of learning material, owned by the source that named it first. It outlives that source."""

    source = models.ForeignKey(
        Source, verbose_name=_("source"), null=True, on_delete=models.SET_NULL, related_name="documents"
    )
    url = models.CharField(_("canonical address"), max_length=addresses.LONGEST, unique=True)
    title = models.CharField(_("title"), max_length=500, blank=True, default="")
    authors = models.JSONField(_("authors"), default=list, blank=True, help_text=_("A list of names."))
    summary = models.TextField(_("summary"), blank=True, default="")
    text = models.TextField(_("text"), blank=True, default="")
    language = models.CharField(_("language"), max_length=16, blank=True, default="")
    published_at = models.DateTimeField(_("published at"), null=True, blank=True)
    content_hash = models.CharField(_("content hash"), max_length=64, help_text=_("SHA-256 of the fields above."))
    first_seen_at = models.DateTimeField(_("first seen at"))
    changed_at = models.DateTimeField(_("changed at"))
    withdrawn_at = models.DateTimeField(
        _("withdrawn at"), null=True, blank=True, help_text=_("Time at which the repository declared it deleted.")
    )
    duplicate_of = models.ForeignKey(
        "self",
        verbose_name=_("copy of"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="copies",
        help_text=_("The first document found with the same or nearly the same text."),
    )
    fingerprint = ArrayField(
        models.IntegerField(), verbose_name=_("fingerprint"), null=True, blank=True, editable=False
    )
    """The bands of the text's similarity hash (see ``reading.similarity``)."""

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering = ("-changed_at", "-id")
        indexes = [
            models.Index(fields=["-changed_at", "-id"], name="scraping_document_changed_id"),
            GinIndex(fields=["fingerprint"], name="scraping_document_fingerprint"),
        ]

    def __str__(self) -> str:
        return self.title or self.url
