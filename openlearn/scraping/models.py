from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from openlearn.scraping import addresses


class Source(models.Model):
    """
    A feed, sitemap or page that is watched. A job scrapes it, at the pace of its tier.

    Save it through ``services.save_source``, which keeps the job in step.
    """

    class Kind(models.TextChoices):
        FEED = "feed", _("feed (RSS, RDF or Atom)")
        SITEMAP = "sitemap", _("sitemap or sitemap index")
        PAGE = "page", _("single page")

    class Tier(models.TextChoices):
        HIGH = "high", _("high: every 15 minutes")
        MEDIUM = "medium", _("medium: every hour")
        LOW = "low", _("low: every 6 hours")

    INTERVALS: ClassVar[dict[str, timedelta]] = {
        Tier.HIGH: timedelta(minutes=15),
        Tier.MEDIUM: timedelta(minutes=60),
        Tier.LOW: timedelta(minutes=360),
    }

    name = models.CharField(_("name"), max_length=200)
    # A host without a dot is an address too: “http://localhost:8000/…”. The guard decides what is asked.
    url = models.CharField(
        _("address"), max_length=addresses.LONGEST, unique=True, validators=[URLValidator(schemes=["http", "https"])]
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind.choices, default=Kind.FEED)
    tier = models.CharField(_("tier"), max_length=16, choices=Tier.choices, default=Tier.MEDIUM)
    interval_seconds = models.PositiveIntegerField(
        _("interval"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Seconds between scrapes. Empty: what the tier says."),
    )
    page_limit = models.PositiveIntegerField(
        _("page limit"),
        default=100,
        help_text=_("Most pages fetched by one scrape; the next one goes on. 0: keep only what a feed itself says."),
    )
    etag = models.CharField(_("ETag"), max_length=255, blank=True, default="", editable=False)
    last_modified = models.CharField(_("Last-Modified"), max_length=255, blank=True, default="", editable=False)
    last_attempt_at = models.DateTimeField(_("last attempt at"), null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(_("last success at"), null=True, blank=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, default="", editable=False)
    consecutive_failures = models.PositiveIntegerField(_("consecutive failures"), default=0, editable=False)
    retry_not_before = models.DateTimeField(
        _("retry not before"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("The server asked to be left alone until then."),
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = _("sources")
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(
                condition=Q(interval_seconds__isnull=True) | Q(interval_seconds__gte=1),
                name="scraping_source_interval_is_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """The name becomes a part of its job's name, and the address a part of an index."""
        if not self.name.isprintable():
            raise ValidationError({"name": _("It holds characters that cannot be printed, perhaps from a copy.")})
        if not addresses.is_short_enough(self.url):
            raise ValidationError({"url": _("It is too long: 2,000 bytes as UTF-8 are the most.")})

    @property
    def job_id(self) -> str:
        """The id of the job that scrapes it."""
        return f"scraping.source.{self.pk}"

    @property
    def interval(self) -> timedelta:
        if self.interval_seconds is not None:
            return timedelta(seconds=self.interval_seconds)
        return self.INTERVALS[self.Tier(self.tier)]


class Document(models.Model):
    """One piece of learning material, whatever source named it first. It outlives that source."""

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
    content_hash = models.CharField(_("content hash"), max_length=64, help_text=_("SHA-256 of what is above."))
    first_seen_at = models.DateTimeField(_("first seen at"))
    changed_at = models.DateTimeField(_("changed at"))

    class Meta:
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        ordering = ("-changed_at", "-id")
        indexes = [models.Index(fields=["-changed_at", "-id"], name="scraping_document_changed_id")]

    def __str__(self) -> str:
        return self.title or self.url


EXTRACTION_ATTEMPTS = 3


class PageQuerySet(models.QuerySet["Page"]):
    def due(self) -> PageQuerySet:
        """Pages to be fetched, those that failed least first."""
        return self.filter(is_due=True).order_by("failures", "id")

    def unextracted(self) -> PageQuerySet:
        """
        Pages that hold a body whose text was not taken out yet, oldest first.

        One that was tried three times is left alone until its body changes: it may be what kills the process.
        """
        waiting = self.filter(extracted_at__isnull=True, fetched_at__isnull=False)
        return waiting.filter(extraction_attempts__lt=EXTRACTION_ATTEMPTS).order_by("fetched_at", "id")


class Page(models.Model):
    """One item of a source: what the source says about it, and the page as it was fetched."""

    source = models.ForeignKey(Source, verbose_name=_("source"), on_delete=models.CASCADE, related_name="pages")
    url = models.CharField(_("address"), max_length=addresses.LONGEST)
    document = models.ForeignKey(
        Document, verbose_name=_("document"), null=True, on_delete=models.SET_NULL, related_name="pages"
    )
    marker = models.CharField(
        _("marker"), max_length=64, blank=True, default="", help_text=_("Another one means that the item changed.")
    )
    hints = models.JSONField(
        _("hints"), default=dict, blank=True, help_text=_("What the feed said: title, authors, summary, published_at.")
    )
    is_due = models.BooleanField(_("to be fetched"), default=False)
    failures = models.PositiveSmallIntegerField(_("failures"), default=0)
    last_error = models.TextField(_("last error"), blank=True, default="")
    etag = models.CharField(_("ETag"), max_length=255, blank=True, default="")
    last_modified = models.CharField(_("Last-Modified"), max_length=255, blank=True, default="")
    final_url = models.CharField(_("address after redirects"), max_length=addresses.LONGEST, blank=True, default="")
    content_type = models.CharField(_("content type"), max_length=255, blank=True, default="")
    body = models.BinaryField(_("body"), null=True)
    body_hash = models.CharField(_("hash of the body"), max_length=64, blank=True, default="")
    fetched_at = models.DateTimeField(_("fetched at"), null=True, help_text=_("When this body was first seen."))
    extracted_at = models.DateTimeField(_("text taken out at"), null=True)
    extraction_attempts = models.PositiveSmallIntegerField(_("attempts to take text out"), default=0)

    objects = PageQuerySet.as_manager()

    class Meta:
        verbose_name = _("page")
        verbose_name_plural = _("pages")
        ordering = ("-id",)
        constraints = [models.UniqueConstraint(fields=["source", "url"], name="scraping_page_once_per_source")]
        indexes = [
            models.Index(fields=["source"], condition=Q(is_due=True), name="scraping_page_due"),
            models.Index(
                fields=["fetched_at", "id"],
                condition=Q(extracted_at__isnull=True, fetched_at__isnull=False),
                name="scraping_page_unextracted",
            ),
        ]

    def __str__(self) -> str:
        return self.url
