"""The sources that are watched."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, URLValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from openlearn.scraping import addresses
from scheduler.models import Job

_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


class Source(models.Model):
    """
    A feed, sitemap or page that is watched. A job scrapes it, at the pace of its tier.

    Save it through ``services.save_source``, which keeps the job in step.
    """

    class Kind(models.TextChoices):
        FEED = "feed", _("feed (RSS, RDF, Atom or JSON Feed)")
        SITEMAP = "sitemap", _("sitemap or sitemap index")
        PAGE = "page", _("single page")
        REPOSITORY = "oai", _("repository (OAI-PMH)")

    class Tier(models.TextChoices):
        HIGH = "high", pgettext_lazy("tier", "high")
        MEDIUM = "medium", pgettext_lazy("tier", "medium")
        LOW = "low", pgettext_lazy("tier", "low")

    INTERVALS: ClassVar[dict[str, timedelta]] = {
        Tier.HIGH: timedelta(minutes=15),
        Tier.MEDIUM: timedelta(minutes=60),
        Tier.LOW: timedelta(minutes=360),
    }
    SLOWEST: ClassVar[dict[str, timedelta]] = {
        Tier.HIGH: timedelta(minutes=60),
        Tier.MEDIUM: timedelta(minutes=360),
        Tier.LOW: timedelta(days=7),
    }
    """The longest pause of a source of the tier if its pace is learned."""

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
        help_text=_("Time between scrapes, such as “45 min” or “2 h”. Leave empty to use the tier."),
    )
    learns_pace = models.BooleanField(
        _("learn the pace"),
        default=False,
        db_default=False,
        help_text=_(
            "Scrape a source that seldom changes less often: high down to every hour, medium down to every 6 hours, "
            "low down to once a week. A change brings the full pace back."
        ),
    )
    page_limit = models.PositiveIntegerField(
        _("page limit"),
        default=100,
        help_text=_("Maximum pages per scrape. The rest follow next time. 0: feed entries only, no pages."),
    )
    username = models.CharField(
        _("user name"), max_length=255, blank=True, default="", db_default="", help_text=_("For HTTP Basic access.")
    )
    access = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """``password`` and ``headers``, each sealed (see ``fetching.access``)."""

    robots_agreement = models.CharField(
        _("robots.txt agreement"),
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text=_(
            "Who at the site allowed reading this source although robots.txt forbids it, and when. "
            "Leave empty to obey robots.txt."
        ),
    )
    etag = models.CharField(_("ETag"), max_length=1000, blank=True, default="", editable=False)
    last_modified = models.CharField(_("Last-Modified"), max_length=255, blank=True, default="", editable=False)
    last_attempt_at = models.DateTimeField(_("last attempt at"), null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(_("last success at"), null=True, blank=True, editable=False)
    last_error = models.TextField(_("last error"), blank=True, default="", editable=False)
    failure = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """The sentence that ``last_error`` has in English, as data."""

    consecutive_failures = models.PositiveIntegerField(_("consecutive failures"), default=0, editable=False)
    retry_not_before = models.DateTimeField(
        _("wait until"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Requested by the server."),
    )
    moved_to = models.CharField(
        _("moved permanently to"), max_length=addresses.LONGEST, blank=True, default="", db_default="", editable=False
    )
    cursor = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    """Where reading continues: see the scrape of each kind."""

    rest_until = models.DateTimeField(
        _("no scrape before"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("Requested by the source itself, or its learned pace."),
    )
    rest_reason = models.JSONField(default=dict, db_default={}, blank=True, editable=False)
    quiet_seconds = models.PositiveIntegerField(_("learned pace"), null=True, blank=True, editable=False)
    pages_known = models.PositiveIntegerField(_("pages known"), default=0, db_default=0, editable=False)
    pages_failing = models.PositiveIntegerField(_("pages failing"), default=0, db_default=0, editable=False)
    problems = models.JSONField(default=list, db_default=[], blank=True, editable=False)
    """Sentences of the last scrape, as data."""

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
    def mostly_fails(self) -> bool:
        """More than half of its pages could not be fetched when they were requested last."""
        return self.pages_failing * 2 > self.pages_known

    @property
    def job_id(self) -> str:
        """The id of the job that scrapes it."""
        return f"scraping.source.{self.pk}"

    @property
    def interval(self) -> timedelta:
        """Its own, else that of its job, which the template of its tier decides, else the tier's as it ships."""
        if self.interval_seconds is not None:
            return timedelta(seconds=self.interval_seconds)
        trigger = Job.objects.filter(pk=self.job_id).values_list("trigger", flat=True).first() if self.pk else None
        if isinstance(trigger, dict) and trigger.get("type") == "interval":
            return timedelta(**{unit: trigger[unit] for unit in _UNITS if unit in trigger})
        return self.INTERVALS[self.Tier(self.tier)]
