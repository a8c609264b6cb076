from __future__ import annotations

from collections.abc import Iterator

import pytest

from scheduler import conf
from tests.websites import Website


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
