"""Read RSS, RDF, Atom and JSON Feed into items."""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import feedparser

from openlearn.scraping import charsets, dates, text
from openlearn.scraping.errors import AnotherKind, MalformedFeed, NotAFeed, WrongContentType
from openlearn.scraping.reading import entry_identity, json_feeds, kinds, markup, prolog
from openlearn.scraping.reading.kinds import Found
from scheduler.messages import phrase

ENTRIES = 10_000
"""Most entries taken from one reading, unless the caller says otherwise."""

_SUMMARY_CHARACTERS = 5_000
_REFERENCE = re.compile(r"&#(?:[xX]0*([0-9a-fA-F]{1,6})|0*([0-9]{1,7}));")
_FIRST_ENTRY = re.compile(r"<(?:item|entry)\b")
_TTL = re.compile(r"<ttl>\s*(\d{1,7})\s*</ttl>", re.I)
_SKIPPED_HOURS = re.compile(r"<skipHours\b[^>]*>(.{0,2000}?)</skipHours>", re.I | re.S)
_SKIPPED_DAYS = re.compile(r"<skipDays\b[^>]*>(.{0,2000}?)</skipDays>", re.I | re.S)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml", ""})
_OPAQUE_TYPES = ("image/", "audio/", "video/", "font/", "application/pdf", "application/zip")

# feedparser meets whatever the web holds, and shows what it did not expect as any of these.
_PARSER_FAILURES = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a feed."""

    url: str
    guid: str = ""
    """The guid in the feed. Empty if it is missing or used twice."""

    title: str
    authors: tuple[str, ...]
    summary: str
    text: str
    """The whole text, if the feed carries it."""

    language: str
    published_at: datetime | None
    has_page: bool = True
    """``False``: the address is a recording's, or several entries share it. All that is known is what the feed says."""

    @property
    def marker(self) -> str:
        """Changes when anything that the feed says about it does."""
        facts = [self.title, self.authors, self.summary, self.text, self.language, str(self.published_at)]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The pace at which the feed wants to be read."""

    ttl_seconds: int = 0
    skipped_hours: tuple[int, ...] = ()
    """Of the day, UTC."""

    skipped_days: tuple[int, ...] = ()
    """0 is Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    entries: tuple[Entry, ...]
    """In the order of the feed, each item once."""

    skipped: int
    """Entries without an address or guid, or that came before in the feed."""

    problem: str
    """The fault of a feed whose entries could be read all the same. Empty for a valid feed."""

    notes: tuple[str, ...] = ()
    """A sentence for each kind of entry that was skipped."""

    left: int = 0
    """Entries behind those taken: the next reading starts there."""

    next_url: str = ""
    """The feed's next page or archive (RFC 5005), if it names one."""

    pace: Pace = Pace()


def parse(*, content: bytes, url: str, content_type: str = "", start: int = 0, most: int = ENTRIES) -> Feed:
    """
    Read a feed. ``url`` is the base of relative links, ``start`` the number of entries to pass over, and ``most`` the
    number to take then.

    :raises NotAFeed: it is an HTML page
    :raises AnotherKind: it is a sitemap, a list of feeds or a repository
    :raises WrongContentType: it is a picture, an archive, or anything else without text
    :raises MalformedFeed: no entry of it can be read
    """
    check(content=content, url=url, content_type=content_type)
    return read(content=content, url=url, content_type=content_type, start=start, most=most)


def check(*, content: bytes, url: str, content_type: str = "") -> None:
    """
    Reject content that is not a feed at first sight, in time that is linear in its size for every input.

    :raises NotAFeed, AnotherKind, WrongContentType:
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith(_OPAQUE_TYPES):
        raise WrongContentType(url=url, content_type=media_type, expected=phrase("a feed"))
    charset = charsets.charset_of(content_type)
    found = kinds.recognise(charsets.decode(content=content[: prolog.LONGEST], charset=charset))
    if found is Found.HTML:
        raise NotAFeed(url=url, feeds=kinds.feeds_named_by(content, url, charset=charset))
    if advice := kinds.advice(found, wanted="feed"):
        raise AnotherKind(url=url, advice=advice)


def read(*, content: bytes, url: str, content_type: str = "", start: int = 0, most: int = ENTRIES) -> Feed:
    """
    Read what ``check`` let pass. Feeds can be made for which this takes hours: see ``reader_process``.

    :raises MalformedFeed: no entry of it can be read
    """
    document = charsets.decode(content=content, charset=charsets.charset_of(content_type))
    broken = document.count("\ufffd") - content.count(b"\xef\xbf\xbd")
    problem = phrase("{number} characters fit no charset", number=broken) if broken > 0 else ""
    if kinds.recognise(document) is Found.JSON_FEED:
        return _read_json(document, url, slice(start, start + most), problem)
    return _read_xml(document, url, slice(start, start + most), problem)


def _read_json(document: str, url: str, window: slice, problem: str) -> Feed:
    try:
        feed, raw = json_feeds.raw_entries(document)
    except (ValueError, RecursionError) as error:
        raise MalformedFeed(url=url, reason=text.line(error, most=300)) from error
    following = entry_identity.address(feed["next"], base=url)
    about = _About(url=url, language=text.language(feed["language"]), titles_are_text=True)
    return _gather(raw, about, window, problem=problem, next_url=following, pace=Pace())


def _read_xml(document: str, url: str, window: slice, problem: str) -> Feed:
    before = prolog.read(document)
    letters = "".join(f'<!ENTITY {name} "{value}">' for name, value in before.letters.items())
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE feed [{letters}]>\n' if letters else ""
    mended = (head + _REFERENCE.sub(_mended, before.rest)).encode(errors="replace")
    # Without a base: what is relative stays so, and a guid such as “42” can be told from an address.
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        parsed = feedparser.parse(
            io.BytesIO(mended), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except _PARSER_FAILURES as error:
        raise MalformedFeed(url=url, reason=text.line(error, most=300) or type(error).__name__) from error
    if not parsed.entries and not parsed.get("version"):
        raise MalformedFeed(url=url, reason=_reason(parsed) or phrase("it has neither the root of a feed nor entries"))
    problem = _reason(parsed) or problem
    about = _About(
        url=url,
        language=text.language(parsed.feed.get("language")),
        titles_are_text=str(parsed.get("version") or "").startswith("atom"),
    )
    feed = _gather(
        parsed.entries,
        about,
        window,
        problem=problem,
        next_url=_next_of(parsed, url),
        pace=_pace(before.rest),
    )
    if feed.problem and not feed.entries and not window.start:
        raise MalformedFeed(url=url, reason=feed.problem)
    return feed


def _mended(reference: re.Match[str]) -> str:
    """Replace a reference to half of a character: feedparser gives up the whole feed for one."""
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return "&#xFFFD;" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF else reference[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """The facts that hold for all entries of a feed."""

    url: str
    language: str
    titles_are_text: bool
    """Atom and JSON Feed say whether a title is markup. RSS does not."""


def _gather(raw: list[Any], about: _About, window: slice, *, problem: str, next_url: str, pace: Pace) -> Feed:
    # A feed that became shorter than what was read of it is read from its beginning.
    start = window.start if window.start < len(raw) else 0
    taken = raw[start : start + window.stop - window.start]
    identities = entry_identity.identify(taken, base=about.url, language=about.language)
    entries = [
        _entry(given, identity, about)
        for given, identity in zip(taken, identities.found, strict=True)
        if identity is not None
    ]
    return Feed(
        entries=tuple(entries),
        skipped=len(taken) - len(entries),
        problem=problem,
        notes=identities.notes,
        left=max(0, len(raw) - start - len(taken)),
        next_url=next_url,
        pace=pace,
    )


def _entry(raw: dict[str, Any], identity: entry_identity.Identity, about: _About) -> Entry:
    contents = raw.get("content") or ()
    longest: dict[str, Any] = max(contents, key=lambda part: len(part.get("value") or ""), default={})
    names = [author.get("name", "") for author in raw.get("authors", ())] or [raw.get("author", "")]
    return Entry(
        url=identity.url,
        guid=identity.guid,
        has_page=identity.has_page,
        title=text.line(_title(raw, about), most=500),
        authors=tuple(dict.fromkeys(name for name in (text.line(name, most=200) for name in names[:50]) if name)),
        summary=_words(raw.get("summary"), raw.get("summary_detail") or longest)[:_SUMMARY_CHARACTERS],
        text=_words(longest.get("value"), longest),
        language=_language(raw, longest) or about.language,
        published_at=_instant(raw, "published") or _instant(raw, "updated"),
    )


def _title(raw: dict[str, Any], about: _About) -> str:
    given = str(raw.get("title") or "")
    if (raw.get("title_detail") or {}).get("type") in _HTML_TYPES:
        return markup.plain(given)
    return given if about.titles_are_text else markup.title(given)


def _words(given: object, detail: Any) -> str:
    kind = str(detail.get("type") or "") if detail else ""
    if kind in _HTML_TYPES:
        return markup.plain(str(given or ""))
    return text.storable(given).strip()


def _language(raw: dict[str, Any], content: Any) -> str:
    for detail in (raw, content, raw.get("title_detail") or {}, raw.get("summary_detail") or {}):
        if found := text.language(detail.get("language")):
            return found
    return ""


def _instant(raw: dict[str, Any], name: str) -> datetime | None:
    # Asked as a plain dict: feedparser's own look-up takes the one for the other, and warns.
    written = dict.get(raw, name)
    return dates.instant(str(written)) if written else None


def _next_of(parsed: Any, url: str) -> str:
    for relation in ("next", "prev-archive"):
        for link in parsed.feed.get("links", ()):
            if link.get("rel") == relation and link.get("href"):
                return entry_identity.address(link["href"], base=url)
    return ""


def _pace(document: str) -> Pace:
    first = _FIRST_ENTRY.search(document, 0, 256 * 1024)
    head = document[: first.start() if first else 64 * 1024]
    ttl, hours, days = _TTL.search(head), _SKIPPED_HOURS.search(head), _SKIPPED_DAYS.search(head)
    named = re.findall(r"[a-z]+day", days[1].lower()) if days else []
    return Pace(
        ttl_seconds=min(int(ttl[1]) * 60, 7 * 86400) if ttl else 0,
        skipped_hours=tuple(sorted({int(hour) % 24 for hour in re.findall(r"\d{1,2}", hours[1])})) if hours else (),
        skipped_days=tuple(sorted({_WEEKDAYS.index(day) for day in named if day in _WEEKDAYS})),
    )


def _reason(parsed: Any) -> str:
    """Return the fault of the feed. A wrongly declared charset that was found does not count."""
    problem = parsed.get("bozo_exception") if parsed.bozo else None
    if problem is None or isinstance(problem, feedparser.CharacterEncodingOverride):
        return ""
    return text.line(problem, most=300) or type(problem).__name__
