from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openlearn.scraping import feeds
from openlearn.scraping.errors import MalformedFeed, NotAFeed, WrongContentType
from tests.websites import article, item, rss

URL = "http://lessons.test/feeds/all.xml"

ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Notes</title><id>urn:x</id><updated>2026-05-01T00:00:00Z</updated>
<entry><title>One</title><id>urn:1</id><link href="/one"/><author><name>Ada</name></author><author><name>Grace</name>
</author><published>2026-05-01T12:00:00+02:00</published><summary>Short.</summary>
<content type="html">&lt;p&gt;First.&lt;/p&gt;&lt;p&gt;Second.&lt;/p&gt;</content></entry></feed>"""

RDF = """<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns="http://purl.org/rss/1.0/"><channel rdf:about="http://lessons.test/"><title>T</title><link>/</link>
<description>D</description></channel><item rdf:about="http://lessons.test/one"><title>One</title>
<link>http://lessons.test/one</link></item></rdf:RDF>"""


def parse(content, **kwargs):
    return feeds.parse(content=content.encode() if isinstance(content, str) else content, url=URL, **kwargs)


class TestParse:
    def test_reads_atom(self):
        (entry,) = parse(ATOM).entries

        assert entry.url == "http://lessons.test/one"
        assert entry.authors == ("Ada", "Grace")
        assert entry.published_at == datetime(2026, 5, 1, 10, tzinfo=UTC)
        assert (entry.summary, entry.text) == ("Short.", "First.\nSecond.")

    def test_reads_rdf(self):
        assert [entry.url for entry in parse(RDF).entries] == ["http://lessons.test/one"]

    def test_makes_relative_links_absolute(self):
        found = parse(rss(item("One", "/one"), item("Two", "two"), item("Three", "//other.test/three")))

        assert [entry.url for entry in found.entries] == [
            "http://lessons.test/one",
            "http://lessons.test/feeds/two",
            "http://other.test/three",
        ]

    def test_counts_an_address_once(self):
        found = parse(rss(item("One", "/one"), item("Again", "/one?utm_source=feed#top")))

        assert [entry.title for entry in found.entries] == ["One"]
        assert found.skipped == 1

    def test_keeps_entries_apart_that_share_a_guid(self):
        found = parse(rss(item("One", "/one", guid="same"), item("Two", "/two", guid="same")))

        assert [entry.title for entry in found.entries] == ["One", "Two"]

    def test_uses_a_guid_that_is_an_address(self):
        found = parse(rss("<item><title>One</title><guid>http://lessons.test/one</guid></item>"))

        assert [entry.url for entry in found.entries] == ["http://lessons.test/one"]

    @pytest.mark.parametrize("link", ["javascript:alert(1)", "mailto:a@b.test", "http://[bad", "data:,x"])
    def test_skips_what_is_no_address_of_a_page(self, link):
        found = parse(rss(item("Bad", link), item("Good", "/good")))

        assert [entry.title for entry in found.entries] == ["Good"]
        assert found.skipped == 1

    def test_skips_entries_without_an_address(self):
        assert parse(rss("<item><title>Nothing</title></item>")).skipped == 1

    def test_takes_an_empty_feed_for_what_it_is(self):
        found = parse(rss())

        assert (found.entries, found.skipped, found.problem) == ((), 0, "")

    def test_takes_markup_out_of_titles_and_summaries(self):
        found = parse(rss(item("&lt;b&gt;Bold&lt;/b&gt; &amp;amp; more", "/one", description="&lt;p&gt;A&lt;/p&gt;B")))

        assert found.entries[0].title == "Bold & more"
        assert found.entries[0].summary == "A\nB"

    @pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "koi8-r", "shift_jis"])
    def test_reads_other_charsets(self, charset):
        title = {"iso-8859-1": "Übung für später", "utf-16": "数え方", "koi8-r": "Урок", "shift_jis": "数え方"}[charset]
        content = rss(item(title, "/one")).replace('encoding="utf-8"', f'encoding="{charset}"').encode(charset)

        assert parse(content).entries[0].title == title

    def test_believes_the_header_about_the_charset(self):
        content = rss(item("Übung", "/one")).replace(' encoding="utf-8"', "").encode("iso-8859-1")

        found = parse(content, content_type="application/rss+xml; charset=iso-8859-1")

        assert found.entries[0].title == "Übung"

    def test_reads_what_it_can_of_a_feed_that_is_not_well_formed(self):
        found = parse(rss(item("Fish & chips", "/one"), item("Two", "/two")).replace("</channel></rss>", ""))

        assert [entry.url for entry in found.entries] == ["http://lessons.test/one", "http://lessons.test/two"]
        assert found.problem

    @pytest.mark.parametrize("content", [b"", b"no feed at all", b"<rss", b"\x00\x01\x02", b"<other>thing</other>"])
    def test_refuses_what_has_no_entries_and_is_no_feed(self, content):
        with pytest.raises(MalformedFeed, match=URL):
            parse(content)

    def test_tells_an_html_page_and_names_its_feeds(self):
        page = article("News", head='<link rel="alternate" type="application/rss+xml" href="/real.xml">')

        with pytest.raises(NotAFeed, match=r"http://lessons\.test/real\.xml"):
            parse(page)

    def test_tells_an_html_page_without_feeds(self):
        with pytest.raises(NotAFeed, match="set the kind to “page”"):
            parse("<!-- hello -->\n<HTML><body>Not found</body></HTML>")

    def test_reads_a_feed_that_is_sent_as_html(self):
        assert len(parse(rss(item("One", "/one")), content_type="text/html").entries) == 1

    def test_refuses_pictures(self):
        with pytest.raises(WrongContentType, match="image/png"):
            parse(b"\x89PNG\r\n", content_type="image/png")

    def test_expands_no_entities(self):
        laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">{laughs}]>' + rss(item("&l9;", "/one"))[38:]

        with pytest.raises(MalformedFeed, match="entities"):
            parse(bomb)

    def test_reads_no_files_for_entities(self):
        evil = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]>' + rss()[38:]

        with pytest.raises(MalformedFeed, match="entities"):
            parse(evil.encode("utf-16"))

    def test_survives_deep_nesting(self):
        found = parse(rss(item("Deep", "/one", description="<div>" * 20_000)))

        assert len(found.entries) <= 1

    def test_cleans_what_the_database_cannot_hold(self):
        found = parse(rss(item("A&#0;B", "/one")))

        assert all("\x00" not in entry.title for entry in found.entries)


class TestMarker:
    def test_changes_with_the_entry(self):
        one, same, other = (
            parse(rss(item(title, "/one"))).entries[0].marker for title in ("One", "One", "One, corrected")
        )

        assert one == same
        assert one != other
