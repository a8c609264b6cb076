from __future__ import annotations

from datetime import UTC, datetime

import pytest

from openlearn.scraping.errors import MalformedFeed, NotAFeed, WrongContentType
from openlearn.scraping.reading import feeds
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
        found = parse(rss(item("One", "/one"), item("Again", "/one?utm_source=feed")))

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
        with pytest.raises(NotAFeed, match="set the kind to “single page”"):
            parse("<!-- hello -->\n<HTML><body>Not found</body></HTML>")

    def test_reads_a_feed_that_is_sent_as_html(self):
        assert len(parse(rss(item("One", "/one")), content_type="text/html").entries) == 1

    def test_refuses_pictures(self):
        with pytest.raises(WrongContentType, match="image/png"):
            parse(b"\x89PNG\r\n", content_type="image/png")

    def test_expands_no_entities(self):
        laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">{laughs}]>' + rss(item("&l9;", "/one"))[38:]

        (entry,) = parse(bomb).entries

        assert "haha" not in entry.title

    def test_reads_no_files_for_entities(self):
        kinds = ('SYSTEM "file:///etc/passwd"', 'PUBLIC "x" "file:///etc/passwd"', '% p SYSTEM "file:///etc/passwd"')
        for kind in kinds:
            evil = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY f {kind}>]>' + rss(item("&f;", "/one"))[38:]
            for encoding in ("utf-8", "utf-16"):
                (entry,) = parse(evil.encode(encoding)).entries

                assert "root:" not in str(entry)

    def test_costs_no_more_than_its_size_before_its_root(self):
        for start in ("<!DOCTYPE a [" + "<!ENTITY a " * 100_000, "<!--" * 100_000, "<?a " * 100_000, "<" * 200_000):
            with pytest.raises(MalformedFeed):
                parse(start)

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


class TestIdentity:
    def test_entries_without_a_link_live_in_the_feed(self):
        found = parse(rss("<item><title>A</title><guid isPermaLink='false'>a 1</guid></item>"))

        assert [(entry.url, entry.guid, entry.has_page) for entry in found.entries] == [
            ("http://lessons.test/feeds/all.xml#a%201", "a 1", False)
        ]

    def test_a_guid_that_is_no_address_is_no_link(self):
        (entry,) = parse(rss("<item><title>A</title><guid>42</guid></item>")).entries

        assert (entry.url, entry.has_page) == ("http://lessons.test/feeds/all.xml#42", False)

    def test_entries_that_are_left_out_are_counted_with_a_reason(self):
        found = parse(rss("<item><title>A</title></item>", item("One", "/one"), item("One", "/one")))

        assert found.skipped == 2
        assert [str(note) for note in found.notes] == [
            "1 entry has neither a usable link nor a guid, and was left out.",
            "1 entry repeats one before it, and was left out.",
        ]

    def test_a_guid_that_stands_for_several_pages_identifies_none(self):
        found = parse(rss(item("One", "/one", guid="same"), item("Two", "/two", guid="same")))

        assert [entry.guid for entry in found.entries] == ["", ""]

    def test_long_guids_are_kept_as_their_hash(self):
        (entry,) = parse(rss(item("One", "/one", guid="x" * 5000))).entries

        assert entry.guid.startswith("sha256:")

    def test_the_page_in_the_language_of_the_entry_comes_first(self):
        links = "".join(f"<link hreflang='{language}' href='/{language}'/>" for language in ("en", "de", "fr"))
        atom = (
            "<feed xmlns='http://www.w3.org/2005/Atom' xml:lang='fr'><entry xml:lang='DE'><id>urn:1</id>"
            f"<title>Eins</title>{links}</entry><entry><id>urn:2</id><title>Un</title>{links}</entry></feed>"
        )

        assert [(entry.url[-3:], entry.language) for entry in parse(atom).entries] == [("/de", "de"), ("/fr", "fr")]


class TestBounds:
    def test_entries_beyond_the_limit_are_read_from_where_the_last_reading_stopped(self):
        content = rss(*(item(str(number), f"/{number}") for number in range(8)))

        first, second, third, again = (parse(content, start=start, most=3) for start in (0, 3, 6, 9))

        assert [[entry.title for entry in feed.entries] for feed in (first, second, third, again)] == [
            ["0", "1", "2"],
            ["3", "4", "5"],
            ["6", "7"],
            ["0", "1", "2"],
        ]
        assert [feed.left for feed in (first, second, third)] == [5, 2, 0]

    def test_further_pages_are_named(self):
        following = "<atom:link xmlns:atom='http://www.w3.org/2005/Atom' rel='next' href='/feed?page=2'/>"

        assert parse(rss(following)).next_url == "http://lessons.test/feed?page=2"


class TestPace:
    def test_is_what_the_feed_wants(self):
        wishes = (
            "<ttl>180</ttl><skipHours><hour>2</hour><hour>1</hour></skipHours><skipDays><day>Sunday</day></skipDays>"
        )

        pace = parse(rss(wishes, item("<![CDATA[<ttl>9</ttl>]]>", "/one"))).pace

        assert (pace.ttl_seconds, pace.skipped_hours, pace.skipped_days) == (10_800, (1, 2), (6,))

    def test_is_not_taken_from_what_an_entry_is_about(self):
        assert parse(rss(item("One", "/one", description="<![CDATA[<ttl>180</ttl>]]>"))).pace == feeds.Pace()
