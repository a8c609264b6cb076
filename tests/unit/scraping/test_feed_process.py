from __future__ import annotations

import sys
from datetime import UTC, datetime
from unittest import mock

import pytest

from openlearn.scraping import feed_process, feeds
from openlearn.scraping.errors import MalformedFeed, NotAFeed

URL = "https://example.org/feed.xml"
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><language>en</language>
<item><link>/a</link><title>Eins &amp; zwei ☃</title><author>Ann</author><description>Text</description>
<pubDate>Sat, 29 Feb 2020 10:00:00 GMT</pubDate></item><item><title>No link</title></item></channel></rss>"""


def item(inside: bytes) -> bytes:
    return b'<rss version="2.0"><channel><item><link>/a</link>' + inside + b"</item></channel></rss>"


class TestAProcessOfItsOwn:
    def test_reads_what_is_read_here(self) -> None:
        found = feed_process.parse(content=FEED.encode(), url=URL, content_type="text/xml", seconds=20)

        assert found == feeds.parse(content=FEED.encode(), url=URL, content_type="text/xml")
        assert found.entries[0].published_at == datetime(2020, 2, 29, 10, tzinfo=UTC)

    def test_refuses_in_the_same_words(self) -> None:
        with pytest.raises(NotAFeed):
            feed_process.parse(content=b"<html><body>Hello</body></html>", url=URL, seconds=20)
        with pytest.raises(MalformedFeed) as here:
            feeds.parse(content=b"<rss><channel>", url=URL)
        with pytest.raises(MalformedFeed) as there:
            feed_process.parse(content=b"<rss><channel>", url=URL, seconds=20)

        assert str(there.value) == str(here.value)

    @pytest.mark.parametrize(
        "inside",
        [
            b"<author>" + b"a" * 300_000 + b"</author>",
            b"<description><![CDATA[" + b"<!--" * 300_000 + b"]]></description>",
            b"<x " + b" ".join(b"a%d='b'" % number for number in range(100_000)) + b"/>",
        ],
    )
    def test_ends_on_a_feed_that_is_made_to_cost_hours(self, inside: bytes) -> None:
        with pytest.raises(MalformedFeed, match="takes more than 1 seconds of processor time"):
            feed_process.parse(content=item(inside), url=URL, seconds=1)

    def test_is_said_to_have_failed_when_it_does(self) -> None:
        with (
            mock.patch.object(sys, "executable", "/bin/false"),
            pytest.raises(MalformedFeed, match="its reader ended without a word"),
        ):
            feed_process.parse(content=FEED.encode(), url=URL, seconds=20)


class TestTheFirstSight:
    def test_of_comments_costs_no_more_than_reading_them(self) -> None:
        """A page that begins with many comments took for ever to be told from a feed."""
        comments = b"<!---->" * 580

        with pytest.raises(NotAFeed):
            feeds.check(content=comments + b"<html>", url=URL)
        feeds.check(content=comments + b"x", url=URL)
        feeds.check(content=comments + b"<!-- not closed", url=URL)


class TestADate:
    @pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT"])
    def test_that_no_zone_could_show_is_none(self, date: str) -> None:
        content = item(f"<pubDate>{date}</pubDate>".encode())

        assert feeds.parse(content=content, url=URL).entries[0].published_at is None
