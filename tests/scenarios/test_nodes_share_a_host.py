"""Four nodes that scrape sources of one host request it as slowly as a single node."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from openlearn.scraping import services
from openlearn.scraping.models import Source
from scheduler.models import Run
from tests.scenarios.site import Site
from tests.waiting import wait_until
from tests.websites import Route, Website, reply

NODES = 4
SOURCES = 12
DELAY_SECONDS = 0.5
FEED = b'<rss version="2.0"><channel><title>Lessons</title></channel></rss>'


@pytest.fixture
def website() -> Iterator[Website]:
    """A host that asks for half a second between two requests, which also holds for hosts that are allowed by name."""
    site = Website()
    site.start()
    yield site
    site.stop()


def noting(answer: Route, moments: list[float]) -> Route:
    """Return the same answer, which notes when it is asked for."""

    def noted(handler: BaseHTTPRequestHandler) -> None:
        moments.append(time.monotonic())
        answer(handler)

    return noted


def test_no_host_is_asked_faster_by_more_nodes(site: Site, website: Website) -> None:
    asked, arrivals = list[float](), list[float]()
    feed, second = reply(FEED, content_type="application/rss+xml"), threading.Event()

    def held(handler: BaseHTTPRequestHandler) -> None:
        """Answer when two are asked at once: each node has one thread. Not for longer than clients wait."""
        if len(arrivals) > 2:
            second.set()
        second.wait(8)
        feed(handler)

    rules = reply(f"User-agent: *\nCrawl-delay: {DELAY_SECONDS}\n", content_type="text/plain")
    website.routes["/robots.txt"] = noting(rules, asked)
    for _ in range(NODES):
        site.start_node("--threads", "1", SCHEDULER_ALLOWED_HOSTS=website.host)

    runs = Run.objects.filter(task="scraping.scrape_source")
    for number in range(SOURCES):
        website.routes[f"/feed/{number}"] = noting(held if number else feed, arrivals)
        source = Source(name=f"Source {number}", kind="feed", url=website.url(f"/feed/{number}"))
        services.save_source(source=source, scrape=True)
        if number == 0:  # the others find the rules of the host
            wait_until(lambda: runs.filter(state="succeeded").exists())
    wait_until(lambda: runs.filter(state="succeeded").count() >= SOURCES)

    assert len(arrivals) == SOURCES
    assert website.asked("/robots.txt") == 1
    assert runs.values("node").distinct().count() > 1
    # Turns are spaced by the database, and a request may come later than its turn.
    for number, arrival in enumerate(sorted(arrivals)):
        assert arrival - asked[0] >= number * DELAY_SECONDS
