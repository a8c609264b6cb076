"""The items of sources, and the further documents that list items."""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from openlearn.scraping import addresses
from openlearn.scraping.models.document import Document
from openlearn.scraping.models.source import Source

EXTRACTION_ATTEMPTS = 3

_Row = TypeVar("_Row", bound=models.Model)

_WAITING = Q(is_due=True) | Q(failures__gt=0)
"""A page that failed stays in the queue, behind its back-off, until it can be fetched."""

_TURN = (F("asked_at").asc(nulls_first=True), F("id").asc())


class TurnQuerySet(models.QuerySet[_Row]):
    """Rows that are requested in fair turns."""

    def waiting(self) -> Self:
        """Rows to be requested, now or after their back-off."""
        return self.filter(_WAITING)

    def due(self, now: datetime) -> Self:
        """Rows to be requested now, in fair turns: never requested ones first, then the longest not requested."""
        return self.waiting().filter(Q(retry_at__isnull=True) | Q(retry_at__lte=now)).order_by(*_TURN)

    def failing(self) -> Self:
        return self.filter(failures__gt=0)


class PageQuerySet(TurnQuerySet["Page"]):
    def unextracted(self) -> Self:
        """
        Pages that hold a body whose text was not extracted yet, oldest first.

        One that was tried three times is left alone until its body changes: it may be what kills the process.
        """
        waiting = self.filter(extracted_at__isnull=True, fetched_at__isnull=False)
        return waiting.filter(extraction_attempts__lt=EXTRACTION_ATTEMPTS).order_by("fetched_at", "id")


class Turn(models.Model):
    """An address of a source that is requested in fair turns."""

    url = models.CharField(_("address"), max_length=addresses.LONGEST)
    marker = models.CharField(
        _("marker"), max_length=64, blank=True, default="", help_text=_("Changes when the item changes.")
    )
    is_due = models.BooleanField(_("due for fetching"), default=False)
    asked_at = models.DateTimeField(_("last requested at"), null=True, blank=True)
    retry_at = models.DateTimeField(
        _("next attempt at"), null=True, blank=True, help_text=_("No request before this time after a failure.")
    )
    failures = models.PositiveSmallIntegerField(_("failures in a row"), default=0)
    last_error = models.TextField(_("last error"), blank=True, default="")
    failure_code = models.CharField(_("kind of failure"), max_length=40, blank=True, default="", db_default="")
    failure = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """The sentence of the last failure as data, which ``last_error`` has in English."""

    etag = models.CharField(_("ETag"), max_length=1000, blank=True, default="")
    last_modified = models.CharField(_("Last-Modified"), max_length=255, blank=True, default="")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.url


class Page(Turn):
    """One item of a source: what the source says about it, and the page as it was fetched."""

    source = models.ForeignKey(Source, verbose_name=_("source"), on_delete=models.CASCADE, related_name="pages")
    guid = models.CharField(
        _("guid"), max_length=255, blank=True, default="", db_default="", help_text=_("Identifier in the feed.")
    )
    document = models.ForeignKey(
        Document, verbose_name=_("document"), null=True, on_delete=models.SET_NULL, related_name="pages"
    )
    hints = models.JSONField(
        _("hints"), default=dict, blank=True, help_text=_("From the feed: title, authors, summary, published_at.")
    )
    final_url = models.CharField(_("address after redirects"), max_length=addresses.LONGEST, blank=True, default="")
    content_type = models.CharField(_("content type"), max_length=255, blank=True, default="")
    body = models.BinaryField(_("body"), null=True)
    body_hash = models.CharField(_("hash of the body"), max_length=64, blank=True, default="")
    fetched_at = models.DateTimeField(_("fetched at"), null=True, help_text=_("When this body was first seen."))
    extracted_at = models.DateTimeField(_("extracted at"), null=True)
    extraction_attempts = models.PositiveSmallIntegerField(_("attempts to extract text"), default=0)
    extraction_problem = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """The reason why the text of its body was not extracted, as data of a sentence. Empty if it was."""

    objects = PageQuerySet.as_manager()

    class Meta:
        verbose_name = _("page")
        verbose_name_plural = _("pages")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=["source", "url"], name="scraping_page_once_per_source"),
            models.UniqueConstraint(
                fields=["source", "guid"], condition=~Q(guid=""), name="scraping_page_guid_once_per_source"
            ),
        ]
        indexes = [
            models.Index(F("source"), *_TURN, condition=_WAITING, name="scraping_page_turn"),
            models.Index(fields=["source"], condition=Q(failures__gt=0), name="scraping_page_failing"),
            models.Index(
                fields=["fetched_at", "id"],
                condition=Q(extracted_at__isnull=True, fetched_at__isnull=False),
                name="scraping_page_unextracted",
            ),
        ]


class Listing(Turn):
    """A further document that lists items of a source: a sitemap under its index, a further page of its feed."""

    source = models.ForeignKey(Source, verbose_name=_("source"), on_delete=models.CASCADE, related_name="listings")
    locations = models.PositiveIntegerField(_("addresses in it"), default=0)

    objects = TurnQuerySet.as_manager()

    class Meta:
        verbose_name = _("further listing")
        verbose_name_plural = _("further listings")
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["source", "url"], name="scraping_listing_once_per_source")]
        indexes = [models.Index(F("source"), *_TURN, condition=_WAITING, name="scraping_listing_turn")]
