from __future__ import annotations

from collections.abc import Iterator

import pytest

from openlearn.scraping import services
from openlearn.scraping.models import Source
from scheduler import conf
from tests.websites import Website, article, item, reply_if_changed, rss


@pytest.fixture
def website() -> Iterator[Website]:
    site = Website()
    site.start()
    yield site
    site.stop()


@pytest.fixture
def allowed(website, settings) -> Iterator[Website]:
    """The website, reachable although it is on loopback."""
    settings.SCHEDULER = {**settings.SCHEDULER, "ALLOWED_HOSTS": (website.host,)}
    conf.get.cache_clear()
    yield website
    conf.get.cache_clear()


@pytest.fixture
def save(db, allowed, settings):
    """Save a source of the website, by kind and path. Robots are asked anew for each scrape."""
    settings.SCRAPING = {"ROBOTS_SECONDS": 0.0, "REQUEST_SECONDS": 60.0}

    def save_source(kind: str, path: str, **fields: object) -> Source:
        source = Source(name=f"{kind} {path}", kind=kind, url=allowed.url(path), **fields)
        services.save_source(source=source)
        return source

    return save_source


@pytest.fixture
def feed(allowed, save):
    """A feed of two entries with their pages."""
    allowed.routes["/feed"] = reply_if_changed(rss(item("One", "/one"), item("Two", "/two")), etag='"1"')
    allowed.routes["/one"] = reply_if_changed(article("One"), etag='"one"')
    allowed.routes["/two"] = reply_if_changed(article("Two"), etag='"two"')
    return save("feed", "/feed")
