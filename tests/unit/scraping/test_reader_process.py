from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock

import psutil
import pytest

from openlearn.scraping.errors import MalformedFeed, NotAFeed
from openlearn.scraping.reading import feeds, reader_process
from openlearn.scraping.reading.reader_process import Readers

URL = "https://example.org/feed.xml"
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><language>en</language>
<item><link>/a</link><title>Eins &amp; zwei ☃</title><author>Ann</author><description>Text</description>
<pubDate>Sat, 29 Feb 2020 10:00:00 GMT</pubDate></item><item><title>No link</title></item></channel></rss>"""


def item(inside: bytes) -> bytes:
    return b'<rss version="2.0"><channel><item><link>/a</link>' + inside + b"</item></channel></rss>"


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Readers]:
    readers = Readers()
    monkeypatch.setattr(reader_process, "_readers", readers)
    yield readers
    readers.close()


class TestAProcessOfItsOwn:
    def test_reads_what_is_read_here(self) -> None:
        found = reader_process.parse_feed(content=FEED.encode(), url=URL, content_type="text/xml", seconds=20)

        assert found == feeds.parse(content=FEED.encode(), url=URL, content_type="text/xml")
        assert found.entries[0].published_at == datetime(2020, 2, 29, 10, tzinfo=UTC)

    def test_refuses_in_the_same_words(self) -> None:
        with pytest.raises(NotAFeed):
            reader_process.parse_feed(content=b"<html><body>Hello</body></html>", url=URL, seconds=20)
        with pytest.raises(MalformedFeed) as here:
            feeds.parse(content=b"<rss><channel>", url=URL)
        with pytest.raises(MalformedFeed) as there:
            reader_process.parse_feed(content=b"<rss><channel>", url=URL, seconds=20)

        assert str(there.value) == str(here.value)

    @pytest.mark.parametrize(
        "inside",
        [
            b"<author>" + b"a" * 300_000 + b"</author>",
            b"<x " + b" ".join(b"a%d='b'" % number for number in range(100_000)) + b"/>",
        ],
    )
    def test_ends_on_a_feed_that_is_made_to_cost_hours(self, inside: bytes) -> None:
        with pytest.raises(MalformedFeed, match="takes more than 1 seconds of processor time"):
            reader_process.parse_feed(content=item(inside), url=URL, seconds=1)

    def test_is_said_to_have_failed_when_it_does(self, readers: Readers) -> None:
        with (
            mock.patch.object(sys, "executable", "/bin/false"),
            pytest.raises(MalformedFeed, match="its reader ended with the exit code 1"),
        ):
            reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=20)

    def test_reads_one_feed_after_another(self, readers: Readers) -> None:
        for _ in range(3):
            reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=20)
            with pytest.raises(MalformedFeed):
                reader_process.parse_feed(content=b"<rss><channel>", url=URL, seconds=20)

        reader = readers.borrow()
        assert reader.documents_read == 6
        reader.close()

    def test_is_replaced_when_it_has_ended(self, readers: Readers) -> None:
        reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=20)
        reader = readers.borrow()
        reader.close()
        readers.give_back(reader)

        assert reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=20).entries

    def test_may_have_used_up_what_one_feed_is_allowed(self, readers: Readers) -> None:
        """The limit is that of a feed, and not of all that one process ever reads."""
        many = b'<rss version="2.0"><channel>' + b"".join(
            b"<item><link>/%d</link><title>%d</title></item>" % (number, number) for number in range(100)
        )
        reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=1)
        (reader,) = readers._idle

        while psutil.Process(reader.pid).cpu_times().user < 4:
            assert reader_process.parse_feed(content=many + b"</channel></rss>", url=URL, seconds=1).entries

        assert readers._idle == [reader]

    def test_is_kept_for_few_feeds_at_a_time_and_for_a_while(self, readers: Readers) -> None:
        borrowed = [readers.borrow() for _ in range(4)]
        borrowed[0].documents_read = 500
        for reader in borrowed:
            readers.give_back(reader)

        assert [reader.is_alive for reader in borrowed] == [False, True, True, False]

    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that it forks beside other threads
    def test_is_not_shared_with_a_fork(self, readers: Readers) -> None:
        reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=20)
        (reader,) = readers._idle

        if (pid := os.fork()) == 0:  # pragma: no cover - in another process
            os._exit(len(readers._idle))

        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert readers._idle == [reader]
        assert reader_process.parse_feed(content=FEED.encode(), url=URL, seconds=20).entries


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
