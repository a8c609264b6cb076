"""Bring a list of feeds, and take it away (OPML)."""

from __future__ import annotations

from dataclasses import dataclass

from openlearn.scraping import addresses
from openlearn.scraping.models import Source
from openlearn.scraping.reading import subscription_lists
from openlearn.scraping.reading.subscription_lists import Subscription
from openlearn.scraping.services.sources import save_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of importing a list."""

    created: tuple[Source, ...]
    known: int
    """Feeds that are already sources and stay unchanged."""


def import_list(*, content: bytes, tier: str = Source.Tier.MEDIUM, paused: bool = True, actor: str = "") -> Imported:
    """
    Create a source with its job for each new feed of an OPML list.

    ``paused``: the jobs are paused, so that a person decides which sites are requested.

    :raises ValueError: it is not OPML, and no source was created
    """
    created: list[Source] = []
    known = 0
    for subscription in subscription_lists.read(content):
        if Source.objects.filter(url__in=addresses.variants(subscription.url)).exists():
            known += 1
            continue
        source = Source(name=subscription.name, url=subscription.url, kind=Source.Kind.FEED, tier=tier)
        save_source(source=source, actor=actor, origin="admin", paused=paused, scrape=not paused)
        created.append(source)
    return Imported(created=tuple(created), known=known)


def export_list() -> bytes:
    """Return the sources that are feeds as OPML, without access data."""
    feeds = Source.objects.filter(kind=Source.Kind.FEED).order_by("name", "id").values_list("name", "url")
    return subscription_lists.write(
        title="OpenLearn", subscriptions=(Subscription(name=name, url=url) for name, url in feeds.iterator())
    )
