"""A source is tested before it is saved."""

from __future__ import annotations

import pytest

from openlearn.scraping import services
from openlearn.scraping.models import Host, Page, Source
from tests.scraping_inputs import content_of
from tests.websites import article, item, reply, rss, sitemap


@pytest.fixture
def examine(allowed, db, settings):
    settings.SCRAPING = {"ROBOTS_SECONDS": 0.0, "REQUEST_SECONDS": 5.0}

    def ask(kind: str, path: str = "/x") -> services.Examination:
        return services.examine(Source(name="New", kind=kind, url=allowed.url(path)))

    return ask


class TestAnAddress:
    @pytest.mark.parametrize(
        ("kind", "content", "sentence"),
        [
            (
                "feed",
                rss(item("One", "/one"), "<item><title>x</title></item>"),
                "A feed with 2 entries, 1 of them left",
            ),
            ("feed", content_of("advice-json-feed.json").decode(), "A feed with 1 entries"),
            ("sitemap", sitemap(("/one", ""), ("/two", "")), "A sitemap with 2 addresses"),
            ("page", article("One"), "A page of 955 bytes"),
        ],
    )
    def test_that_is_what_it_should_be_is_fine(self, examine, allowed, kind, content, sentence):
        allowed.routes["/x"] = reply(content)

        found = examine(kind)

        assert found.is_fine
        assert str(found.sentence).startswith(sentence)
        assert not Source.objects.exists()
        assert not Page.objects.exists()

    def test_that_is_a_page_names_the_feeds_and_sitemaps_of_its_site(self, examine, allowed):
        head = '<link rel="alternate" type="application/rss+xml" href="/real.xml">'
        allowed.routes["/x"] = reply(article("News", head=head))
        allowed.routes["/robots.txt"] = reply(f"Sitemap: {allowed.url('/map.xml')}\n")

        found = examine("feed")

        assert not found.is_fine
        assert "this is an HTML page" in found.sentence
        assert found.feeds == (allowed.url("/real.xml"),)
        assert found.sitemaps == (allowed.url("/map.xml"),)

    @pytest.mark.parametrize(
        ("kind", "route", "sentence"),
        [
            ("feed", reply(status=404), "was not found (404)"),
            ("feed", reply("<rss><channel><item>"), "cannot be read as RSS"),
            ("feed", reply(content_of("advice-opml.opml")), "a list of feeds (OPML)"),
            ("sitemap", reply(rss()), "this is a feed"),
            ("sitemap", reply("nothing"), "cannot be read as a sitemap"),
            ("oai", reply(status=500), "status 500"),
        ],
    )
    def test_that_is_not_says_why(self, examine, allowed, kind, route, sentence):
        allowed.routes["/x"] = route
        allowed.routes["/x?verb=Identify"] = route

        found = examine(kind)

        assert not found.is_fine
        assert sentence in str(found.sentence)

    def test_of_a_repository_answers(self, examine, allowed):
        allowed.routes["/x?verb=Identify"] = reply(content_of("advice-oai-pmh.xml"))

        assert examine("oai").is_fine

    def test_is_asked_politely(self, examine, allowed):
        allowed.routes["/x"] = reply(status=429, Retry_After="600")

        examine("feed")

        assert Host.objects.get().closed_until is not None
