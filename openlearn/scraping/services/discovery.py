"""Test an address before it becomes a source: what is there, and which feeds and sitemaps its site names."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import islice

from django.utils import timezone

from openlearn.scraping import addresses, charsets
from openlearn.scraping.errors import ScrapingError
from openlearn.scraping.fetching import access
from openlearn.scraping.fetching.fetcher import Fetched, Fetcher, Guest
from openlearn.scraping.models import Source
from openlearn.scraping.reading import kinds, reader_process
from openlearn.scraping.reading.kinds import Found
from openlearn.scraping.reading.sitemaps import Sitemap
from scheduler.errors import InvalidArguments, RequestFailed
from scheduler.messages import phrase

_MOST_COUNTED = 1_000
_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """The answer of an address."""

    is_fine: bool
    """It is what the source says that it is."""

    sentence: str
    feeds: tuple[str, ...] = ()
    sitemaps: tuple[str, ...] = ()
    """Other addresses that the page or its site names."""


def examine(source: Source) -> Examination:
    """
    Request the address of a source, saved or not, and report its content.

    Only the host's turns are stored. Errors of the web are reported in the sentence and not raised.
    """
    try:
        guest = Guest(
            origin=addresses.origin_of(addresses.canonical(url=source.url) or source.url),
            headers=access.headers_of(source),
            obeys_robots=not source.robots_agreement.strip(),
        )
        with Fetcher(now=timezone.now, guest=guest) as fetcher:
            return _examine(source, fetcher)
    except (ScrapingError, RequestFailed, InvalidArguments) as error:
        return Examination(is_fine=False, sentence=getattr(error, "message", "") or str(error))


def _examine(source: Source, fetcher: Fetcher) -> Examination:
    if source.kind == Source.Kind.REPOSITORY:
        fetcher.fetch(url=f"{source.url.partition('?')[0]}?verb=Identify", kind="oai")
        return Examination(is_fine=True, sentence=phrase("The repository answers."))
    fetched = fetcher.fetch_to_file(url=source.url, kind=source.kind)
    content = _content(fetched)
    found = kinds.recognise(charsets.decode(content=content[:512_000], charset=fetched.charset))
    feeds = kinds.feeds_named_by(content, fetched.url, charset=fetched.charset) if found is Found.HTML else ()
    sitemaps = fetcher.sitemaps_named_by(source.url)[:10] if found is Found.HTML else ()
    if advice := kinds.advice(found, wanted=source.kind):
        return Examination(is_fine=False, sentence=advice, feeds=feeds, sitemaps=sitemaps)
    sentence = _count(source, fetched, content)
    return Examination(is_fine=True, sentence=sentence, feeds=feeds, sitemaps=sitemaps)


def _content(fetched: Fetched) -> bytes:
    if fetched.file is None:
        return fetched.content
    with fetched.file as file:
        return file.read()


def _count(source: Source, fetched: Fetched, content: bytes) -> str:
    """:raises ScrapingError: it cannot be read as what it is"""
    if source.kind == Source.Kind.FEED:
        feed = reader_process.parse_feed(
            content=content, url=fetched.url, content_type=fetched.content_type, seconds=_SECONDS
        )
        return phrase(
            "A feed with {number} entries, {skipped} of them left out.",
            number=len(feed.entries) + feed.skipped,
            skipped=feed.skipped,
        )
    if source.kind == Source.Kind.SITEMAP:
        sitemap = Sitemap(file=io.BytesIO(content), url=fetched.url, charset=fetched.charset)
        number = sum(1 for _ in islice(sitemap, _MOST_COUNTED))
        return phrase("A sitemap with {number} addresses (counted up to {most}).", number=number, most=_MOST_COUNTED)
    return phrase("A page of {number:,} bytes, “{type}”.", number=len(content), type=fetched.content_type or "–")
