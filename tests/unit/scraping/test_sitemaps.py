from __future__ import annotations

import gzip

import pytest

from openlearn.scraping import sitemaps
from openlearn.scraping.errors import MalformedSitemap, PageNotFound
from tests.websites import sitemap

URL = "http://lessons.test/sitemap.xml"


def parse(content):
    return sitemaps.parse(content=content if isinstance(content, bytes) else content.encode(), url=URL)


def index(*urls):
    places = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{places}</sitemapindex>'


class TestParse:
    def test_reads_addresses_and_when_they_changed(self):
        found = parse(sitemap(("/one", "2026-05-01"), ("http://lessons.test/two", "2026-05-01T10:00:00+02:00")))

        assert [location.url for location in found.locations] == ["http://lessons.test/one", "http://lessons.test/two"]
        assert [str(location.changed_at) for location in found.locations] == [
            "2026-05-01 00:00:00+00:00",
            "2026-05-01 08:00:00+00:00",
        ]

    @pytest.mark.parametrize("changed", ["", "yesterday", "2026-13-01"])
    def test_keeps_addresses_whose_lastmod_says_nothing(self, changed):
        assert parse(sitemap(("/one", changed))).locations[0].changed_at is None

    def test_skips_other_hosts_repetitions_and_what_is_no_address(self):
        found = parse(
            sitemap(("/one", ""), ("/one#part", ""), ("http://other.test/", ""), ("mailto:a@b.c", ""), ("", ""))
        )

        assert [location.url for location in found.locations] == ["http://lessons.test/one"]
        assert found.skipped == 4

    def test_reads_one_that_is_packed(self):
        assert len(parse(gzip.compress(sitemap(("/one", "")).encode())).locations) == 1

    def test_reads_one_without_a_namespace(self):
        assert len(parse("<urlset><url><loc>/one</loc></url></urlset>").locations) == 1

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"no xml",
            b"<urlset><url>",
            b"<html><body>Not found</body></html>",
            b"\x1f\x8bnot gzip",
            gzip.compress(b"\0" * 20_000_000),
            b'<!DOCTYPE urlset [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>/&x;</loc></url></urlset>',
            b"<a>" * 100_000,
        ],
        ids=["empty", "text", "cut", "html", "false gzip", "bomb", "entity", "deep"],
    )
    def test_refuses_what_is_no_sitemap(self, content):
        with pytest.raises(MalformedSitemap, match=URL):
            parse(content)


class TestWalk:
    def walk(self, content, others):
        asked = []

        def fetch(url):
            asked.append(url)
            if url not in others:
                raise PageNotFound(url=url)
            return others[url].encode()

        return sitemaps.walk(first=parse(content), url=URL, fetch=fetch), asked

    def test_follows_an_index(self):
        others = {
            "http://lessons.test/a.xml": sitemap(("/one", ""), ("/two", "")),
            "http://lessons.test/b.xml": sitemap(("/two", ""), ("/three", "")),
        }

        found, _ = self.walk(index("/a.xml", "/b.xml"), others)

        assert [location.url[-5:] for location in found.locations] == ["t/one", "t/two", "three"]
        assert found.skipped == 1

    def test_goes_on_when_one_cannot_be_had(self):
        others = {"http://lessons.test/b.xml": sitemap(("/one", "")), "http://lessons.test/c.xml": "broken"}

        found, _ = self.walk(index("/a.xml", "/c.xml", "/b.xml"), others)

        assert len(found.locations) == 1
        assert len(found.problems) == 2

    def test_does_not_go_in_circles(self):
        others = {"http://lessons.test/a.xml": index("/a.xml", "/sitemap.xml")}

        found, asked = self.walk(index("/a.xml"), others)

        assert asked == ["http://lessons.test/a.xml"]
        assert found.skipped == 2

    def test_is_bounded(self):
        others = {f"http://lessons.test/{number}.xml": sitemap() for number in range(200)}

        _, asked = self.walk(index(*others), others)

        assert len(asked) == 50
