from __future__ import annotations

import threading
import time

import pytest

from openlearn.scraping import addresses, extraction, text
from openlearn.scraping.errors import WrongContentType
from openlearn.scraping.politeness import HostGates
from openlearn.scraping.robots import RobotsCache
from scheduler.errors import Unreachable
from scheduler.outgoing import Answer
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
        ],
    )
    def test_makes_one_address_of_many_spellings(self, url, expected):
        assert addresses.canonical(url=url, base="http://base.test/a/one") == expected

    def test_is_stable(self):
        once = addresses.canonical(url="HTTP://Lessons.Test:80/a/../b?utm_x=1&c#d")

        assert once is not None
        assert addresses.canonical(url=once) == once


class TestDecode:
    @pytest.mark.parametrize(
        ("content", "charset", "expected"),
        [
            ("Übung".encode(), "", "Übung"),
            ("Übung".encode("latin-1"), "", "Übung"),
            ("Übung".encode("latin-1"), "iso-8859-1", "Übung"),
            ("Übung".encode("utf-8-sig"), "iso-8859-1", "Übung"),
            ("Übung".encode("utf-16"), "", "Übung"),
            ("“quoted”".encode("cp1252"), "iso-8859-1", "“quoted”"),
            ("<meta charset=koi8-r>Урок".encode("koi8-r"), "", "<meta charset=koi8-r>Урок"),
            ("<meta charset=utf-8>Übung".encode("latin-1"), "", "<meta charset=utf-8>Übung"),
            ("Übung".encode(), "no-such-charset", "Übung"),
            (b"Hello", "rot13", "Hello"),
            (b"\x81\xff", "utf-8", "\ufffdÿ"),
        ],
    )
    def test_finds_the_charset(self, content, charset, expected):
        assert text.decode(content=content, charset=charset) == expected


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

        found = extraction.extract(content=article("Counting", head=head).encode(), url="http://lessons.test/one")

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

        found = extraction.extract(content=page.encode(), url="http://lessons.test/one?utm_source=x")

        assert found.canonical_url == expected

    def test_reads_other_charsets(self):
        page = article("Übung", text="Übungen für später sind überall zu finden. " * 20).encode("iso-8859-1")

        found = extraction.extract(content=page, url="http://l.test/", content_type="text/html; charset=iso-8859-1")

        assert found.title == "Übung"
        assert "für später" in found.text

    def test_leaves_the_anchor_of_a_heading_out_of_the_title(self):
        page = article("Counting").replace("<h1>Counting", '<h1>Counting<a href="#counting">¶</a>')

        assert extraction.extract(content=page.encode(), url="http://lessons.test/one").title == "Counting"

    def test_takes_plain_text_as_it_is(self):
        found = extraction.extract(content=b"# Counting\n\nOne, two.", url="http://l.test/a", content_type="text/plain")

        assert (found.title, found.text) == ("Counting", "# Counting\n\nOne, two.")

    @pytest.mark.parametrize(
        "content",
        [b"", b" ", b"\x00", b"<", b"<!-- -->", b"<html></html>", b"<div>" * 50_000, b"\xff\xfe", b"<?xml?>"],
        ids=["empty", "blank", "nul", "bracket", "comment", "bare", "deep", "mark", "declaration"],
    )
    def test_finds_nothing_where_nothing_is(self, content):
        found = extraction.extract(content=content, url="http://lessons.test/one")

        assert found.text == ""
        assert found.canonical_url == "http://lessons.test/one"

    def test_keeps_no_scripts(self):
        page = article("Counting", text="Plain words for people who read. " * 20 + "<script>alert(1)</script>")

        assert "alert" not in extraction.extract(content=page.encode(), url="http://lessons.test/one").text


class TestCheckType:
    @pytest.mark.parametrize("media_type", ["image/png", "application/pdf", "application/json"])
    def test_refuses_what_holds_no_text_for_people(self, media_type):
        with pytest.raises(WrongContentType, match=media_type):
            extraction.check_type(url="http://lessons.test/one", media_type=media_type, content=b"x")

    def test_looks_at_the_content_if_no_type_is_said(self):
        extraction.check_type(url="http://lessons.test/one", media_type="", content=b"<p>Hello")
        with pytest.raises(WrongContentType, match="no stated type"):
            extraction.check_type(url="http://lessons.test/one", media_type="", content=b"\x7fELF\x00")


class TestHostGates:
    def test_spaces_requests_of_all_threads(self):
        gates, passed = HostGates(), []

        def ask():
            gates.pass_through(host="lessons.test", delay_seconds=0.05, patience_seconds=10)
            passed.append(time.monotonic())

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(passed) == 5
        assert max(passed) - min(passed) >= 0.19

    def test_does_not_make_one_host_wait_for_another(self):
        gates = HostGates()
        gates.pass_through(host="slow.test", delay_seconds=3600, patience_seconds=0)

        assert gates.pass_through(host="other.test", delay_seconds=3600, patience_seconds=0) == 0

    def test_gives_no_turn_beyond_the_callers_patience(self):
        gates = HostGates()
        gates.pass_through(host="lessons.test", delay_seconds=0.05, patience_seconds=0)

        assert gates.pass_through(host="lessons.test", delay_seconds=3600, patience_seconds=0.01) is None
        waited = gates.pass_through(host="lessons.test", delay_seconds=3600, patience_seconds=1)

        assert waited is not None
        assert waited <= 0.05


class TestRobots:
    def rules(self, *answers, cache=None, keep_seconds=3600.0):
        waiting = list(answers)

        def fetch(url):
            assert url == "https://lessons.test:8443/robots.txt"
            answer = waiting.pop(0)
            if isinstance(answer, Exception):
                raise answer
            status, body = answer
            return Answer(url=url, status_code=status, headers={}, content=body, redirects=())

        url = "https://lessons.test:8443/a/page"
        return (cache or RobotsCache()).rules_for(url=url, fetch=fetch, keep_seconds=keep_seconds)

    def test_close_what_the_site_closes_to_us(self):
        rules = self.rules((200, b"User-agent: *\nDisallow: /a/\n\nUser-agent: OpenLearnBot\nDisallow: /b/\n"))

        assert rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot/1.0 (x)")
        assert not rules.allows(url="https://lessons.test:8443/b/page", agent="OpenLearnBot/1.0 (x)")

    @pytest.mark.parametrize(
        ("body", "delay"),
        [
            (b"User-agent: *\nCrawl-delay: 2.5\n", 2.5),
            (b"User-agent: *\nRequest-rate: 1/10s\n", 10.0),
            (b"User-agent: *\nCrawl-delay: -1\n", None),
            (b"User-agent: *\nCrawl-delay: soon\n", None),
            (b"", None),
        ],
    )
    def test_say_how_long_to_wait(self, body, delay):
        assert self.rules((200, body)).delay_seconds(agent="OpenLearnBot") == delay

    @pytest.mark.parametrize("status", [301, 401, 403, 404, 410])
    def test_are_absent_when_there_are_none(self, status):
        rules = self.rules((status, b"User-agent: *\nDisallow: /"))

        assert rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    @pytest.mark.parametrize("answer", [(500, b""), (503, b""), (429, b""), Unreachable("the server is down")])
    def test_close_everything_while_they_cannot_be_read(self, answer):
        rules = self.rules(answer)

        assert not rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")
        assert rules.problem

    @pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"<html>Not found</html>", b"Disallow: /\n" * 100_000])
    def test_may_be_nonsense(self, body):
        assert self.rules((200, body)).allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")

    def test_are_remembered(self):
        cache = RobotsCache()

        first = self.rules((200, b"User-agent: *\nDisallow: /\n"), cache=cache)

        assert self.rules(cache=cache) is first

    def test_are_asked_for_again_when_they_are_old(self):
        cache = RobotsCache()
        self.rules((200, b"User-agent: *\nDisallow: /\n"), cache=cache, keep_seconds=0)

        rules = self.rules((404, b""), cache=cache, keep_seconds=0)

        assert rules.allows(url="https://lessons.test:8443/a/page", agent="OpenLearnBot")
