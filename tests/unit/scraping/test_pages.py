from __future__ import annotations

import pytest

from openlearn.scraping import addresses, text
from openlearn.scraping.errors import NotForIndexing, WrongContentType
from openlearn.scraping.reading import articles
from tests.websites import article


class TestCanonical:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("HTTP://Lessons.Test/One", "http://lessons.test/One"),
            ("http://lessons.test", "http://lessons.test/"),
            ("http://lessons.test:80/one", "http://lessons.test/one"),
            ("https://lessons.test:443/one", "https://lessons.test/one"),
            ("http://lessons.test:8000/one", "http://lessons.test:8000/one"),
            ("http://lessons.test/one#part", "http://lessons.test/one"),
            ("http://lessons.test/one?utm_source=x&a=1&fbclid=y", "http://lessons.test/one?a=1"),
            ("http://lessons.test/one?", "http://lessons.test/one"),
            ("http://lessons.test/a/../b/./c/", "http://lessons.test/b/c/"),
            ("http://lessons.test/.well-known/x", "http://lessons.test/.well-known/x"),
            (" http://lessons.test/\none ", "http://lessons.test/one"),
            ("http://[2A00::1]/one", "http://[2a00::1]/one"),
            ("../two", "http://base.test/two"),
            ("//cdn.test/x", "http://cdn.test/x"),
            ("mailto:a@b.test", None),
            ("javascript:alert(1)", None),
            ("http://lessons.test:port/", None),
            ("http://[broken/", None),
            ("http://", None),
            ("https:", None),
            ("http://lessons.test/\x00", None),
            ("http://lessons.test/" + "x" * 2000, None),
            ("http://lessons.test/" + "课" * 700, None),
            ("http://lessons.test/Week 1 notes.html", "http://lessons.test/Week%201%20notes.html"),
            ("http://lessons.test/%7ea/%c3%bc", "http://lessons.test/~a/%C3%BC"),
            ("http://lessons.test/ü?q=ü", "http://lessons.test/%C3%BC?q=%C3%BC"),
            ("http://bücher.test/", "http://xn--bcher-kva.test/"),
            ("http://lessons.test./one", "http://lessons.test/one"),
            ("http://lessons.test/one;jsessionid=0A1B?a=1", "http://lessons.test/one?a=1"),
            ("http://lessons.test/one?msclkid=x&_hsenc=y&gad_source=1&amp;utm_medium=z", "http://lessons.test/one"),
            ("http://user:secret@lessons.test/one", "http://lessons.test/one"),
            ("http://lessons.test/a%2Fb", "http://lessons.test/a%2Fb"),
        ],
    )
    def test_makes_one_address_of_many_spellings(self, url, expected):
        assert addresses.canonical(url=url, base="http://base.test/a/one") == expected

    def test_is_stable(self):
        once = addresses.canonical(url="HTTP://Lessons.Test:80/a/../b?utm_x=1&c#d")

        assert once is not None
        assert addresses.canonical(url=once) == once


class TestVariants:
    def test_are_the_spellings_of_one_page(self):
        found = addresses.variants("https://www.lessons.test/%C3%BC")

        assert found[0] == "https://www.lessons.test/%C3%BC"
        assert {"http://lessons.test/%C3%BC/", "https://lessons.test/%C3%BC", "http://www.lessons.test/ü"} <= set(found)

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1/a", "http://[::1]/a", "http://lessons.test:8000/a", "http://host/a"]
    )
    def test_give_no_name_to_numbers_and_leave_ports_alone(self, url):
        assert not any("www." in spelling for spelling in addresses.variants(url))

    def test_of_a_front_page_have_its_slash(self):
        assert set(addresses.variants("http://lessons.test/")) == {
            "http://lessons.test/",
            "https://lessons.test/",
            "http://www.lessons.test/",
            "https://www.lessons.test/",
        }


class TestClaims:
    @pytest.mark.parametrize(
        ("own", "claimed", "is_plausible"),
        [
            ("http://l.test/a", "http://l.test/b", True),
            ("http://l.test/a", "http://l.test/", False),
            ("http://l.test/", "http://l.test/", True),
            ("http://l.test/a", "http://l.test/login?next=/a", False),
            ("http://l.test/login", "http://l.test/login/", True),
            ("http://l.test/a", "http://l.test/404.html", False),
            ("http://l.test/a", "http://l.test/errors-in-python", True),
            ("http://l.test/?p=1", "http://l.test/lesson", True),
        ],
    )
    def test_are_believed_when_they_may_be_true(self, own, claimed, is_plausible):
        assert addresses.is_plausible(addresses.Claim(own=own, claimed=claimed)) is is_plausible


class TestStorable:
    def test_drops_what_the_database_cannot_hold(self):
        assert text.storable("a\x00b\ud800c") == "abc"

    def test_makes_one_line(self):
        assert text.line(" a\n b\t c ", most=4) == "a b"


class TestExtract:
    def test_finds_title_text_language_author_and_date(self):
        head = (
            '<meta name="author" content="Ada Lovelace"><meta property="article:published_time" '
            'content="2026-03-02T09:00:00Z"><meta name="description" content="About counting.">'
        )

        found = articles.extract(content=article("Counting", head=head).encode(), url="http://lessons.test/one")

        assert found.title == "Counting"
        assert "belong to the lesson" in found.text
        assert "Home" not in found.text
        assert found.language == "en"
        assert found.authors == ("Ada Lovelace",)
        assert found.summary == "About counting."
        assert str(found.published_at) == "2026-03-02 00:00:00+00:00"

    @pytest.mark.parametrize(
        ("href", "expected"),
        [
            ("/canonical", "http://lessons.test/canonical"),
            ("http://other.test/stolen", "http://lessons.test/one"),
            ("javascript:alert(1)", "http://lessons.test/one"),
            ("http://[broken", "http://lessons.test/one"),
        ],
    )
    def test_believes_a_page_about_its_own_host_only(self, href, expected):
        page = article("Counting", head=f'<link rel="canonical" href="{href}">')

        found = articles.extract(content=page.encode(), url="http://lessons.test/one?utm_source=x")

        assert found.canonical_url == expected

    def test_reads_other_charsets(self):
        page = article("Übung", text="Übungen für später sind überall zu finden. " * 20).encode("iso-8859-1")

        found = articles.extract(content=page, url="http://l.test/", content_type="text/html; charset=iso-8859-1")

        assert found.title == "Übung"
        assert "für später" in found.text

    @pytest.mark.parametrize("canonical", ["/", "http://lessons.test", "/login"])
    def test_does_not_believe_a_canonical_link_of_a_template(self, canonical):
        page = article("Counting", head=f'<link rel="canonical" href="{canonical}">')

        found = articles.extract(content=page.encode(), url="http://lessons.test/lessons/one")

        assert found.canonical_url == "http://lessons.test/lessons/one"

    def test_reads_a_canonical_link_relative_to_the_base_of_the_page(self):
        page = article("Counting", head='<base href="/lessons/"><link rel="canonical" href="one">')

        found = articles.extract(content=page.encode(), url="http://lessons.test/x")

        assert found.canonical_url == "http://lessons.test/lessons/one"

    @pytest.mark.parametrize(
        ("head", "reason"),
        [
            ('<meta name="robots" content="NOINDEX, follow">', "noindex"),
            ('<meta name="robots" content="none">', "noindex"),
            ('<meta http-equiv="refresh" content="0; url=/elsewhere">', "only leads to http://lessons.test/elsewhere"),
        ],
    )
    def test_takes_nothing_from_a_page_that_is_no_content(self, head, reason):
        with pytest.raises(NotForIndexing, match=reason):
            articles.extract(content=article("Counting", head=head).encode(), url="http://lessons.test/one")

    @pytest.mark.parametrize(
        "head",
        [
            '<meta name="robots" content="index, nofollow">',
            '<meta http-equiv="refresh" content="300">',
            '<meta http-equiv="refresh" content="30; url=/later">',
            '<meta http-equiv="refresh" content="0; url=/one">',
            '<meta name="googlebot" content="noindex">',
        ],
    )
    def test_takes_a_page_that_is_content(self, head):
        found = articles.extract(content=article("Counting", head=head).encode(), url="http://lessons.test/one")

        assert found.title == "Counting"

    def test_keeps_code_and_formulas(self):
        words = "Plain words for people who read. " * 20
        page = article("Energy", text=f"{words} <math alttext='E=mc^2'><mi>E</mi></math> and <pre>if x:\n    y()</pre>")

        found = articles.extract(content=page.encode(), url="http://lessons.test/one")

        assert r"\(E=mc^2\)" in found.text
        assert "    y()" in found.text

    @pytest.mark.parametrize(
        ("head", "foot", "date"),
        [
            ('<meta property="article:published_time" content="2025-09-01T10:00:00+02:00">', "", "2025-09-01"),
            ("", '<p>By Ada, <time datetime="2025-09-01">in September</time></p>', "2025-09-01"),
            ("", "<footer>© 2015–2019 Example</footer>", None),
        ],
    )
    def test_has_the_date_that_the_page_states_and_guesses_none(self, head: str, foot: str, date: str | None) -> None:
        content = (
            f"<html><head><title>Lesson</title>{head}</head><body><p>{'Some words here. ' * 60}</p>{foot}</body></html>"
        )

        found = articles.extract(content=content.encode(), url="https://learn.example/lesson").published_at

        assert (found and found.date().isoformat()) == date

    def test_folds_the_language(self):
        page = article("Counting").replace("lang='en'", "lang='EN_us'")

        assert articles.extract(content=page.encode(), url="http://lessons.test/one").language == "en-us"

    def test_leaves_the_anchor_of_a_heading_out_of_the_title(self):
        page = article("Counting").replace("<h1>Counting", '<h1>Counting<a href="#counting">¶</a>')

        assert articles.extract(content=page.encode(), url="http://lessons.test/one").title == "Counting"

    def test_takes_plain_text_as_it_is(self):
        found = articles.extract(content=b"# Counting\n\nOne, two.", url="http://l.test/a", content_type="text/plain")

        assert (found.title, found.text) == ("Counting", "# Counting\n\nOne, two.")

    @pytest.mark.parametrize(
        "content",
        [b"", b" ", b"\x00", b"<", b"<!-- -->", b"<html></html>", b"<div>" * 50_000, b"\xff\xfe", b"<?xml?>"],
        ids=["empty", "blank", "nul", "bracket", "comment", "bare", "deep", "mark", "declaration"],
    )
    def test_finds_nothing_where_nothing_is(self, content):
        found = articles.extract(content=content, url="http://lessons.test/one")

        assert found.text == ""
        assert found.canonical_url == "http://lessons.test/one"

    def test_keeps_no_scripts(self):
        page = article("Counting", text="Plain words for people who read. " * 20 + "<script>alert(1)</script>")

        assert "alert" not in articles.extract(content=page.encode(), url="http://lessons.test/one").text


class TestCheckType:
    @pytest.mark.parametrize("media_type", ["image/png", "application/zip", "application/json"])
    def test_refuses_what_holds_no_text_for_people(self, media_type):
        with pytest.raises(WrongContentType, match=media_type):
            articles.check_type(url="http://lessons.test/one", media_type=media_type, content=b"x")

    def test_looks_at_the_content_if_no_type_is_said(self):
        articles.check_type(url="http://lessons.test/one", media_type="", content=b"<p>Hello")
        with pytest.raises(WrongContentType, match="no stated type"):
            articles.check_type(url="http://lessons.test/one", media_type="", content=b"\x7fELF\x00")
