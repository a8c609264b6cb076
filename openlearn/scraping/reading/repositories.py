"""Read answers of OAI-PMH 2.0 repositories: records in Dublin Core (``oai_dc``), which every one of them has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lxml import etree

from openlearn.scraping import addresses, dates, text
from openlearn.scraping.errors import AnotherKind, MalformedRepository
from openlearn.scraping.reading import kinds
from openlearn.scraping.reading.feeds import Entry
from openlearn.scraping.reading.kinds import Found
from openlearn.scraping.reading.xml_stream import XmlStream
from scheduler.messages import phrase

_DOI = re.compile(r"(?:doi:\s*|info:doi/)(10\.\S+)", re.I)
_TOKEN_BYTES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """One page of records."""

    entries: tuple[Entry, ...]
    deleted: tuple[str, ...]
    """Identifiers of records that the repository declares deleted."""

    skipped: int
    """Records without an identifier or metadata."""

    token: str
    """The token for the next page. Empty after the last one."""

    error: str
    """The code of the protocol, such as ``noRecordsMatch``. Empty without an error."""

    error_text: str
    problem: str


def request_url(*, base: str, token: str, since: str) -> str:
    """
    Return the address of the next page of records.

    ``base`` may name a set and a format (``?set=physics&metadataPrefix=oai_dc``). ``since`` is a day, or empty.
    """
    parts = urlsplit(base)
    wanted = {name: value for name, value in parse_qsl(parts.query) if name in {"set", "metadataPrefix"}}
    query = {"verb": "ListRecords"}
    if token:
        query["resumptionToken"] = token
    else:
        query |= {"metadataPrefix": "oai_dc"} | wanted | ({"from": since} if since else {})
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query), ""))


def read(*, file: BinaryIO, url: str, charset: str = "", most_bytes: int) -> Records:
    """
    Read one answer.

    :raises AnotherKind: it is a feed, a sitemap or a page
    :raises MalformedRepository: its format is unknown
    """
    stream = XmlStream(file=file, charset=charset, most_bytes=most_bytes)
    found = kinds.recognise(stream.head)
    if found is not Found.REPOSITORY:
        if advice := kinds.advice(found, wanted="oai"):
            raise AnotherKind(url=url, advice=advice)
        raise MalformedRepository(url=url, reason=phrase("its root is not <OAI-PMH>"))
    entries: list[Entry] = []
    deleted: list[str] = []
    skipped, token, error, error_text = 0, "", "", ""
    for element in stream.elements("record", "resumptionToken", "error"):
        name = etree.QName(element).localname
        if name == "resumptionToken":
            token = (element.text or "").strip()
        elif name == "error":
            error, error_text = text.line(element.get("code"), most=40), text.line(element.text, most=200)
        elif _is_deleted(element):
            deleted.append(_identifier(element))
        elif (entry := _entry(element, url)) is not None:
            entries.append(entry)
        else:
            skipped += 1
    if len(token.encode()) > _TOKEN_BYTES:
        raise MalformedRepository(url=url, reason=phrase("its resumption token is too long"))
    return Records(
        entries=tuple(entries),
        deleted=tuple(guid for guid in deleted if guid),
        skipped=skipped,
        token=token,
        error=error,
        error_text=error_text,
        problem=stream.problem,
    )


def _is_deleted(record: Any) -> bool:
    header = record.find("{*}header")
    return header is not None and header.get("status") == "deleted"


def _identifier(record: Any) -> str:
    return text.line(record.findtext("{*}header/{*}identifier"), most=200)


def _entry(record: Any, base: str) -> Entry | None:
    guid = _identifier(record)
    values = _values(record)
    url = _address(values.get("identifier", []), guid, base)
    if not guid or not url or not values:
        return None
    return Entry(
        url=url,
        guid=guid,
        title=next(iter(values.get("title", [])), "")[:500],
        authors=tuple(dict.fromkeys(name[:200] for name in values.get("creator", [])[:50])),
        summary="\n".join(values.get("description", []))[:5_000],
        text="",
        language=next((found for found in map(text.language, values.get("language", [])) if found), ""),
        published_at=next((found for found in map(dates.w3c, values.get("date", [])) if found), None),
        has_page="#" not in url,
    )


def _values(record: Any) -> dict[str, list[str]]:
    """The elements of Dublin Core by their names."""
    found: dict[str, list[str]] = {}
    metadata = record.find("{*}metadata")
    for element in metadata.iter() if metadata is not None else ():
        if isinstance(element.tag, str) and element.text and element.text.strip() and not len(element):
            found.setdefault(etree.QName(element).localname, []).append(text.line(element.text, most=5_000))
    return found


def _address(identifiers: list[str], guid: str, base: str) -> str:
    """Where the item is: the first address among its identifiers, its DOI, or its place in the repository."""
    for identifier in identifiers:
        if identifier.lower().startswith(("http://", "https://")) and (url := addresses.canonical(url=identifier)):
            return url
    for identifier in identifiers:
        if (doi := _DOI.fullmatch(identifier)) and (url := addresses.canonical(url=f"https://doi.org/{doi[1]}")):
            return url
    home = addresses.canonical(url=base)
    return (addresses.with_fragment(home, guid) or "") if home and guid else ""
