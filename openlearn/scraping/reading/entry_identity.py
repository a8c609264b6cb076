"""
The identity of a feed's entries: where each leads, how the feed identifies it, and which are one.

Feeds identify entries by guid, by link, by the fragment of a link, or not at all. Several entries may share one link
(all lectures of a course, all versions of a changelog): each then gets an address of its own on that page.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import Any

from openlearn.scraping import addresses, text
from scheduler.messages import phrase_of

_LONGEST_GUID = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The marks by which an entry is recognised."""

    url: str
    guid: str
    has_page: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    found: tuple[Identity | None, ...]
    """One for each entry, in their order. ``None``: the entry is left out."""

    notes: tuple[str, ...]
    """A sentence for each reason why entries were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    url: str
    fragment: str
    guid: str
    has_page: bool


def identify(entries: list[Any], *, base: str, language: str) -> Identities:
    """Give each entry its identity, or say why not."""
    candidates = _without_shared_guids([_candidate(raw, base=base, language=language) for raw in entries])
    by_page: dict[str, list[tuple[int, _Candidate]]] = defaultdict(list)
    for place, candidate in enumerate(candidates):
        if candidate is not None:
            by_page[candidate.url].append((place, candidate))
    found: list[Identity | None] = [None] * len(candidates)
    repeated = 0
    for sharing in by_page.values():
        named = _named_apart([candidate for _, candidate in sharing])
        for (place, _), identity in zip(sharing, named, strict=True):
            found[place] = identity
            repeated += identity is None
    return Identities(found=tuple(found), notes=_notes(nowhere=candidates.count(None), repeated=repeated))


def address(url: object, *, base: str) -> str:
    """Return a canonical address, or an empty string if it is not an address."""
    return (addresses.canonical(url=str(url), base=base) or "") if url else ""


def _candidate(raw: Any, *, base: str, language: str) -> _Candidate | None:
    guid = _guid(raw)
    link = _link(raw, text.language((raw.get("title_detail") or {}).get("language")) or language)
    if place := address(link, base=base):
        return _Candidate(url=place, fragment=addresses.fragment_of(str(link)), guid=guid, has_page=True)
    if recording := address(_enclosure(raw), base=base):
        return _Candidate(url=recording, fragment="", guid=guid, has_page=False)
    # What has a guid and no address is an item all the same: it lives in the feed.
    home = address(base, base="")
    if guid and home and not link and (part := addresses.with_fragment(home, guid)):
        return _Candidate(url=part, fragment="", guid=guid, has_page=False)
    return None


def _guid(raw: Any) -> str:
    given = text.line(raw.get("id"), most=4000)
    if len(given) <= _LONGEST_GUID:
        return given
    return "sha256:" + hashlib.sha256(given.encode()).hexdigest()


def _link(raw: Any, language: str) -> str:
    """The page of an entry: of several, that in the entry's language, else the first."""
    pages = [link for link in raw.get("links", ()) if link.get("rel") == "alternate" and link.get("href")]
    readable = [link for link in pages if link.get("type", "text/html") in {"text/html", "application/xhtml+xml"}]
    for link in (readable or pages) if language else ():
        if text.language(link.get("hreflang")).partition("-")[0] == language.partition("-")[0]:
            return str(link["href"])
    if pages:
        return str((readable or pages)[0]["href"])
    link, guid = str(raw.get("link") or ""), str(raw.get("id") or "")
    # A guid stands in for the link only if it is an address itself: “42” is none.
    if link and link != guid:
        return link
    return guid if guid.lower().startswith(("http://", "https://")) else ""


def _enclosure(raw: Any) -> str:
    for link in raw.get("links", ()):
        if link.get("rel") == "enclosure" and link.get("href"):
            return str(link["href"])
    return ""


def _without_shared_guids(candidates: list[_Candidate | None]) -> list[_Candidate | None]:
    """Remove guids that stand for several pages and so identify no single one."""
    pages: dict[str, set[str]] = defaultdict(set)
    for candidate in candidates:
        if candidate is not None and candidate.guid:
            pages[candidate.guid].add(candidate.url)
    return [
        replace(candidate, guid="") if candidate is not None and len(pages[candidate.guid]) > 1 else candidate
        for candidate in candidates
    ]


def _named_apart(sharing: list[_Candidate]) -> list[Identity | None]:
    """Tell entries of one page apart: by guid, else by fragment. Entries that are equal in both are one."""
    keys = [candidate.guid or candidate.fragment for candidate in sharing]
    distinct = len(set(keys))
    fragments = Counter(candidate.fragment for candidate in sharing)
    seen: set[str] = set()
    named: list[Identity | None] = []
    for candidate, key in zip(sharing, keys, strict=True):
        if key in seen:
            named.append(None)
            continue
        seen.add(key)
        url = candidate.url
        if distinct > 1:
            own = candidate.fragment and fragments[candidate.fragment] == 1
            url = addresses.with_fragment(url, candidate.fragment if own else key) or url if key else url
        named.append(Identity(url=url, guid=candidate.guid, has_page=candidate.has_page and distinct == 1))
    return named


def _notes(*, nowhere: int, repeated: int) -> tuple[str, ...]:
    notes = []
    if nowhere:
        notes.append(
            phrase_of(
                "{number} entry has neither a usable link nor a guid, and was left out.",
                "{number} entries have neither a usable link nor a guid, and were left out.",
                number=nowhere,
            )
        )
    if repeated:
        notes.append(
            phrase_of(
                "{number} entry repeats one before it, and was left out.",
                "{number} entries repeat ones before them, and were left out.",
                number=repeated,
            )
        )
    return tuple(notes)
