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
    """What became of a list."""

    created: tuple[Source, ...]
    known: int
    """Feeds that are sources already; they stay as they are."""


def import_list(*, content: bytes, tier: str = Source.Tier.MEDIUM, paused: bool = True, actor: str = "") -> Imported:
    """
    Make a source of each feed of an OPML list that is none yet, each with its job.

    ``paused``: the jobs are paused, so that somebody decides which sites are asked.

    :raises ValueError: it is no OPML; nothing was done
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
