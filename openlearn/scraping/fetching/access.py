"""Access data of a source: a name and password, and headers. They are kept sealed, and sent to its origin only."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping

from openlearn.scraping.models import Source
from scheduler.services import secrets

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_RESERVED = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "if-none-match",
     "if-modified-since", "user-agent"}
)  # fmt: skip
"""Headers that the fetcher sets itself."""


def set_password(source: Source, password: str) -> None:
    """Seal the password. An empty one removes it."""
    source.access = {**source.access, "password": secrets.seal(password)} if password else _without(source, "password")


def set_headers(source: Source, headers: Mapping[str, str]) -> None:
    """Seal the headers. An empty mapping removes them."""
    sealed = secrets.seal(json.dumps(dict(headers)))
    source.access = {**source.access, "headers": sealed} if headers else _without(source, "headers")


def headers_of(source: Source) -> dict[str, str]:
    """
    Return what is sent with requests to the source's own origin.

    :raises InvalidArguments: it was sealed with another key
    """
    found: dict[str, str] = {}
    if "headers" in source.access:
        found |= json.loads(secrets.unseal(source.access["headers"]))
    if source.username:
        password = secrets.unseal(source.access["password"]) if "password" in source.access else ""
        pair = base64.b64encode(f"{source.username}:{password}".encode()).decode()
        found["authorization"] = f"Basic {pair}"
    return found


def read_headers(lines: str) -> dict[str, str]:
    """
    Read headers as a person writes them, one ``Name: value`` a line.

    :raises ValueError: naming the line
    """
    found: dict[str, str] = {}
    for row in filter(None, (line.strip() for line in lines.splitlines())):
        name, colon, value = row.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or not _NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
            raise ValueError(row[:80])
        if name in _RESERVED:
            raise ValueError(name)
        found[name] = value
    return found


def _without(source: Source, name: str) -> dict[str, object]:
    return {key: value for key, value in source.access.items() if key != name}
