"""OPML: the lists of feeds that readers export and import."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lxml import etree

from openlearn.scraping import addresses, charsets, text
from openlearn.scraping.reading import prolog
from openlearn.scraping.reading.kinds import Found, recognise

_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One feed of a list."""

    name: str
    url: str


def read(content: bytes) -> tuple[Subscription, ...]:
    """
    Return the feeds of a list, each address once, in their order.

    :raises ValueError: it is not OPML
    """
    document = charsets.decode(content=content)
    if recognise(document) is not Found.OPML:
        raise ValueError("its root is not <opml>")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    root = etree.fromstring(prolog.read(document).rest.encode(errors="replace"), parser)
    found: dict[str, Subscription] = {}
    for outline in root.iter("{*}outline") if root is not None else ():
        values = {name.lower(): value for name, value in outline.attrib.items()}
        url = addresses.canonical(url=values.get("xmlurl", ""))
        if url is not None and len(found) < _MOST:
            name = text.line(values.get("title") or values.get("text") or url, most=200)
            printable = "".join(letter for letter in name if letter.isprintable())
            found.setdefault(url, Subscription(name=printable or url[:200], url=url))
    return tuple(found.values())


def write(*, title: str, subscriptions: Iterable[Subscription]) -> bytes:
    """Return a list as OPML 2.0."""
    root = etree.Element("opml", version="2.0")
    etree.SubElement(etree.SubElement(root, "head"), "title").text = title
    body = etree.SubElement(root, "body")
    for subscription in subscriptions:
        name = text.storable(subscription.name)
        etree.SubElement(body, "outline", type="rss", text=name, title=name, xmlUrl=subscription.url)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8", pretty_print=True))
