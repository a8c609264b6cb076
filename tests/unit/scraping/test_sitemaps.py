from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from openlearn.scraping.errors import AnotherKind, MalformedSitemap
from openlearn.scraping.reading.sitemaps import Location, Sitemap
from tests.websites import sitemap

URL = "http://lessons.test/sitemap.xml"


def opened(content: bytes | str, **values: int) -> Sitemap:
    return Sitemap(file=io.BytesIO(content if isinstance(content, bytes) else content.encode()), url=URL, **values)


def read(content: bytes | str) -> list[Location]:
    return list(opened(content))


class TestLocations:
    def test_have_addresses_and_when_they_changed(self) -> None:
        found = read(sitemap(("/one", "2026-05-01"), ("http://lessons.test/two", "2026-05-01T10:00:00+02:00")))

        assert [location.url for location in found] == ["http://lessons.test/one", "http://lessons.test/two"]
        assert [str(location.changed_at) for location in found] == [
            "2026-05-01 00:00:00+00:00",
            "2026-05-01 08:00:00+00:00",
        ]

    @pytest.mark.parametrize("changed", ["", "yesterday", "2026-13-01"])
    def test_are_kept_when_lastmod_says_nothing(self, changed: str) -> None:
        assert read(sitemap(("/one", changed)))[0].changed_at is None

    @pytest.mark.parametrize("changed", ["2026-05", "2026"])
    def test_may_know_only_the_month_or_the_year(self, changed: str) -> None:
        assert read(sitemap(("/one", changed)))[0].changed_at is not None

    def test_that_are_no_address_are_counted(self) -> None:
        found = opened(sitemap(("/one", ""), ("mailto:a@b.c", ""), ("", "")))

        assert [location.url for location in found] == ["http://lessons.test/one"]
        assert found.skipped == 2

    def test_are_those_of_the_page_and_not_of_its_pictures(self) -> None:
        content = (
            "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:i='http://www.google.com/schemas/image'>"
            "<url><i:image><i:loc>/picture.png</i:loc></i:image><loc><![CDATA[/one?a=1&b=2]]></loc></url></urlset>"
        )

        assert [location.url for location in read(content)] == ["http://lessons.test/one?a=1&b=2"]

    def test_of_an_index_are_sitemaps(self) -> None:
        content = "<sitemapindex><sitemap><loc>/a.xml</loc></sitemap></sitemapindex>"

        assert read(content) == [Location(url="http://lessons.test/a.xml", changed_at=None, is_sitemap=True)]


class TestASitemap:
    @pytest.mark.parametrize("times", [1, 2])
    def test_may_be_packed(self, times: int) -> None:
        content = sitemap(("/one", "")).encode()
        for _ in range(times):
            content = gzip.compress(content)

        assert len(read(content)) == 1

    def test_may_have_no_namespace(self) -> None:
        assert len(read("<urlset><url><loc>/one</loc></url></urlset>")) == 1

    def test_may_declare_a_document_type_which_is_not_read(self) -> None:
        content = (
            '<!DOCTYPE urlset [<!ENTITY x SYSTEM "file:///etc/passwd">]><urlset><url><loc>/&x;</loc></url></urlset>'
        )

        assert [location.url for location in read(content)] == ["http://lessons.test/&x;"]

    @pytest.mark.parametrize(
        "content",
        [b"", b"no xml", b"\x1f\x8bnot gzip", gzip.compress(b"\0" * 20_000_000), b"<a>" * 100_000],
        ids=["empty", "text", "false gzip", "bomb", "deep"],
    )
    def test_that_is_none_is_rejected(self, content: bytes) -> None:
        with pytest.raises(MalformedSitemap, match=URL):
            opened(content)

    def test_that_is_a_page_is_rejected_with_advice(self) -> None:
        with pytest.raises(AnotherKind, match="this is an HTML page"):
            opened(b"<html><body>Not found</body></html>")

    @pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
    def test_that_is_packed_and_cut_is_read_as_far_as_it_goes(self, cut: float) -> None:
        whole = sitemap(*((f"/{number}", "") for number in range(50_000))).encode()
        packed = gzip.compress(whole)

        found = opened(packed[: int(len(packed) * cut)])

        assert 0 < sum(1 for _ in found) < 50_000
        assert found.is_incomplete
        assert "damaged" in found.problem

    def test_that_is_too_long_says_so(self) -> None:
        found = opened(sitemap(*((f"/{number}", "") for number in range(20_000))), most_bytes=500_000)

        assert 0 < sum(1 for _ in found) < 20_000
        assert (found.is_incomplete, found.problem) == (True, "it is longer than 500,000 bytes; the rest was not read")

    def test_of_any_size_is_read_in_little_memory(self) -> None:
        class Endless(io.RawIOBase):
            """2.5 MB of addresses that nobody holds."""

            def __init__(self) -> None:
                self.pieces = self.made()

            def made(self) -> Iterator[bytes]:
                yield b"<urlset>"
                for number in range(40_000):
                    yield b"<url><loc>http://lessons.test/lessons/and/more/%d</loc></url>" % number
                yield b"</urlset>"

            def read(self, size: int = -1) -> bytes:
                piece = b""
                while len(piece) < 60_000 and (more := next(self.pieces, b"")):
                    piece += more
                return piece

        tracemalloc.start()
        count = sum(1 for _ in Sitemap(file=Endless(), url=URL))  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert count == 40_000
        assert peak < 2 * 1024 * 1024
