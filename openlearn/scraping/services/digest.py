"""The part of a digest that is about sources."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Exists, F, Max, OuterRef
from django.utils.translation import gettext as _

from openlearn.scraping.models import Document, Source
from scheduler.services.alerts import DigestPart


def sources_without_new_documents(*, since: datetime, until: datetime, zone: ZoneInfo) -> DigestPart:
    """Name the sources that were scraped since then and had no new document, the longest quiet one first."""
    new = Document.objects.filter(source=OuterRef("pk"), first_seen_at__gte=since, first_seen_at__lt=until)
    quiet = Source.objects.filter(~Exists(new), last_success_at__gte=since, created_at__lt=since)
    rows = quiet.annotate(newest=Max("documents__first_seen_at")).order_by(F("newest").asc(nulls_first=True), "name")
    return DigestPart(
        title=_("Sources without new documents:"),
        lines=tuple(
            f"{name} ({_('the last one: %s') % f'{newest.astimezone(zone):%Y-%m-%d}' if newest else _('none so far')})"
            for name, newest in rows.values_list("name", "newest")
        ),
    )
