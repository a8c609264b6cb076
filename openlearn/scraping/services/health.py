"""The health of all sources, in numbers and by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Q
from django.utils import timezone

from openlearn.scraping.models import Host, Page, Source

_WORST = 50

NO_KIND = "–"
"""The kind of a failure that was stored without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedHost:
    name: str
    until_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """Every source is in exactly one of the first five numbers."""

    failing: int
    with_failing_pages: int
    moved: int
    never_scraped: int
    fine: int
    pages_waiting: int
    pages_failing: int
    pages_unread: int
    """Fetched pages whose text is still to be extracted."""

    failures: tuple[tuple[str, int], ...]
    """Kinds of failure of pages, the most frequent first."""

    worst: tuple[Source, ...]
    closed_hosts: tuple[ClosedHost, ...]


def source_health() -> SourceHealth:
    """Count sources by state, and name the worst, in a fixed number of queries."""
    failing = Q(consecutive_failures__gt=0)
    partly = ~failing & Q(pages_failing__gt=0)
    moved = ~failing & ~partly & ~Q(moved_to="")
    never = ~failing & ~partly & ~moved & Q(last_success_at__isnull=True)
    numbers = Source.objects.aggregate(
        all=Count("pk"),
        failing=Count("pk", filter=failing),
        partly=Count("pk", filter=partly),
        moved=Count("pk", filter=moved),
        never=Count("pk", filter=never),
    )
    troubled = Source.objects.filter(failing | Q(pages_failing__gt=0) | ~Q(moved_to=""))
    kinds = Page.objects.failing().values_list("failure_code").annotate(number=Count("pk")).order_by("-number")
    closed = Host.objects.filter(closed_until__gt=timezone.now()).order_by("-closed_until")
    return SourceHealth(
        failing=numbers["failing"],
        with_failing_pages=numbers["partly"],
        moved=numbers["moved"],
        never_scraped=numbers["never"],
        fine=numbers["all"] - sum(numbers[name] for name in ("failing", "partly", "moved", "never")),
        pages_waiting=Page.objects.waiting().count(),
        pages_failing=Page.objects.failing().count(),
        pages_unread=Page.objects.unextracted().count(),
        failures=tuple((code or NO_KIND, number) for code, number in kinds[:20]),
        worst=tuple(troubled.order_by(F("consecutive_failures").desc(), "-pages_failing", "name")[:_WORST]),
        closed_hosts=tuple(
            ClosedHost(name=name, until_at=until_at)
            for name, until_at in closed.values_list("name", "closed_until")[:_WORST]
            if until_at is not None
        ),
    )
