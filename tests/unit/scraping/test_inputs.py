"""The small inputs under ``tests/inputs/scraping``, and what readers and crawlers of the field make of each."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime

import pytest

from openlearn.scraping import charsets
from openlearn.scraping.errors import AnotherKind, NotAFeed, NotForIndexing, UnreadablePage
from openlearn.scraping.reading import articles, feeds, reader_process
from openlearn.scraping.reading.sitemaps import Sitemap
from tests.scraping_inputs import content_of

FEED = "http://learn.example/feed.xml"
MAP = "http://learn.example/sitemap.xml"


def feed(name: str) -> feeds.Feed:
    return feeds.parse(content=content_of(name), url=FEED)


def page(name: str) -> articles.Extracted:
    return articles.extract(content=content_of(name), url="http://learn.example/page", content_type="text/html")


def sitemap(name: str) -> tuple[list[str], Sitemap]:
    read = Sitemap(file=io.BytesIO(content_of(name)), url=MAP)
    return [location.url for location in read], read


class TestIdentity:
    def test_entries_that_share_a_link_are_kept_apart_by_their_guids(self) -> None:
        found = feed("identity-same-link-other-guid.xml")

        assert [(entry.url, entry.guid, entry.has_page) for entry in found.entries] == [
            (f"http://learn.example/course#lec-{number}", f"lec-{number}", False) for number in (1, 2, 3)
        ]
        assert found.skipped == 0

    def test_links_that_differ_in_the_fragment_are_kept_apart(self) -> None:
        assert [entry.url for entry in feed("identity-links-differ-in-fragment.xml").entries] == [
            f"http://learn.example/changes#v{number}" for number in (1, 2, 3)
        ]

    def test_recordings_without_a_page_are_entries(self) -> None:
        found = feed("silent-podcast-without-links.xml")

        assert [(entry.url, entry.has_page) for entry in found.entries] == [
            ("http://learn.example/audio/ep1.mp3", False),
            ("http://learn.example/audio/ep2.mp3", False),
        ]

    def test_spaces_inside_an_address_are_part_of_it(self) -> None:
        (entry,) = feed("address-with-a-space.xml").entries

        assert entry.url == "http://learn.example/files/Week%201%20notes.html"


class TestCharsets:
    def test_one_broken_byte_costs_one_character(self) -> None:
        found = feed("charset-one-broken-byte-feed.xml")

        assert [entry.title for entry in found.entries] == ["Größe und Maß — Übung", "Zweite Übung"]
        assert found.problem == "1 characters fit no charset"
        assert page("charset-one-broken-byte-page.html").title == "Größe und Maß: Übung"

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("charset-gb2312-with-gbk-letters.html", "朱镕基与陶喆讨论学习材料"),
            ("charset-shift-jis-with-cp932-letters.html", "第①章\u3000学習の教材～はじめに。髙橋先生の講義です。"),
            ("charset-euc-kr-with-cp949-letters.html", "똠방각하 펲시콜라 학습 자료를 설명합니다."),
            ("charset-iso-8859-9-with-cp1254-dashes.html", "Bu ders bahçe ve su hakkında bilgi verir – “çok yararlı”."),
            ("charset-undeclared-windows-1251.html", "Этот урок объясняет кое-что полезное о садах и воде."),
            ("charset-declared-after-2048-bytes.html", "Этот урок"),
        ],
    )
    def test_pages_are_read_as_browsers_read_them(self, name: str, words: str) -> None:
        text = charsets.decode(content=content_of(name))

        assert words in text
        assert "\ufffd" not in text


class TestText:
    def test_plain_titles_keep_what_stands_in_angle_brackets(self) -> None:
        first, second, third = feed("text-atom-titles-are-plain.xml").entries

        assert (first.title, first.summary) == ("The <template> element", "Use <slot> inside <template>.")
        assert second.title == "List<String> basics"
        assert third.text == "Write <h1>Title</h1> and <br> &amp; done."

    def test_code_keeps_its_lines(self) -> None:
        (entry,) = feed("text-code-in-a-feed-loses-indentation.xml").entries

        assert entry.text == "Try:\ndef f(x):\n    if x:\n        return 1\n    return 2"

    def test_formulas_stay(self) -> None:
        assert r"The formula is E=m or \(E=mc^2\), as shown." in page("text-formulas-vanish.html").text


class TestDates:
    def test_are_right_or_none(self) -> None:
        ten = datetime(2025, 9, 1, 10, tzinfo=UTC)
        eight = datetime(2025, 9, 1, 8, tzinfo=UTC)

        found = [entry.published_at for entry in feed("dates-missing-and-wrong.xml").entries]

        assert found == [ten, ten, eight, ten, ten, ten, eight, None]


class TestEntities:
    def test_in_the_text_of_a_feed_are_text(self) -> None:
        assert len(feed("refused-entity-as-text-in-cdata.xml").entries) == 2

    def test_that_stand_for_letters_are_read(self) -> None:
        (entry,) = feed("refused-entity-nbsp-declared.xml").entries

        assert entry.title == "Café lesson"


class TestSitemaps:
    @pytest.mark.parametrize(
        ("name", "number", "problem", "is_incomplete"),
        [
            ("strict-sitemap-bare-ampersand.xml", 2, "such as a lone “&”", False),
            ("strict-sitemap-bom-and-blank-line.xml", 1, "", False),
            ("strict-sitemap-cut.xml", 4, "it ends in the middle", True),
            ("strict-sitemap-gzip-in-two-members.xml.gz", 20, "", False),
            ("strict-sitemap-utf16be-ending-in-newline.xml", 1, "", False),
            ("missing-sitemap-as-text.txt", 2, "", False),
            ("silent-index-of-60.xml", 60, "", False),
        ],
    )
    def test_give_what_can_be_read_of_them(self, name: str, number: int, problem: str, is_incomplete: bool) -> None:
        urls, read = sitemap(name)

        assert len(urls) == number
        assert problem in read.problem
        assert (read.is_incomplete, bool(read.problem)) == (is_incomplete, bool(problem))

    def test_mend_the_address_with_a_lone_ampersand(self) -> None:
        assert sitemap("strict-sitemap-bare-ampersand.xml")[0][0] == "http://learn.example/q?a=1&b=2"

    def test_may_be_feeds(self) -> None:
        assert sitemap("missing-sitemap-is-a-feed.xml")[1].is_feed


class TestAdvice:
    def test_reads_json_feeds(self) -> None:
        (entry,) = feed("advice-json-feed.json").entries

        assert (entry.url, entry.guid, entry.title, entry.text) == ("http://learn.example/1", "1", "One", "Hello")

    @pytest.mark.parametrize(
        ("name", "advice"),
        [
            ("advice-opml.opml", "a list of feeds .OPML.. Import it"),
            ("advice-oai-pmh.xml", "a repository with OAI-PMH. Set the kind"),
            ("silent-index-of-60.xml", "this is a sitemap. Set the kind"),
        ],
    )
    def test_names_what_came_instead_of_a_feed(self, name: str, advice: str) -> None:
        with pytest.raises(AnotherKind, match=advice):
            feed(name)

    @pytest.mark.parametrize("name", ["advice-html-page-with-bom.html", "advice-xhtml-page.html"])
    def test_names_the_feeds_of_a_page(self, name: str) -> None:
        with pytest.raises(NotAFeed, match=r"names these feeds: http://learn\.example/feed\.xml"):
            feed(name)


class TestPages:
    def test_that_only_challenge_the_reader_are_no_content(self) -> None:
        with pytest.raises(NotForIndexing, match="noindex"):
            page("overwrite-challenge-page-with-200.html")

    def test_that_cost_too_much_are_given_up_within_the_limit(self) -> None:
        content = gzip.decompress(content_of("slow-20000-spans-in-a-paragraph.html.gz"))

        with pytest.raises(UnreadablePage, match="takes more than 1 seconds of processor time"):
            reader_process.extract_page(content=content, url="http://learn.example/slow", seconds=1)
