"""Addresses of pages: their canonical form, so that one page is one document."""

from __future__ import annotations

import posixpath
from urllib.parse import urljoin, urlsplit, urlunsplit

LONGEST = 2000
"""Bytes as UTF-8, and therefore characters: what the database's index and most servers take."""

_TRACKING = frozenset({"fbclid", "gclid", "mc_cid", "mc_eid", "igshid"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


def canonical(*, url: str, base: str = "") -> str | None:
    """
    Make an address absolute and drop what does not choose the page: fragment, tracking parameters, default port.

    ``None`` for what is no address of a web page (``mailto:``, ``javascript:``, a broken or overlong one).
    """
    try:
        written = urlsplit("".join(url.split()))
        if written.scheme in _DEFAULT_PORTS and not written.netloc:
            return None
        parts = urlsplit(urljoin(base, written.geturl()))
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not host or "\x00" in url:
        return None
    name = f"[{host}]" if ":" in host else host.rstrip(".")
    place = name if port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{name}:{port}"
    kept = "&".join(part for part in parts.query.split("&") if part and not _is_tracking(part))
    address = urlunsplit((parts.scheme, place, _path(parts.path), kept, ""))
    return address if is_short_enough(address) else None


def is_short_enough(address: str) -> bool:
    """Whether the index can hold it, also where its letters take several bytes each."""
    return len(address.encode(errors="replace")) <= LONGEST


def host_of(url: str) -> str:
    """``host`` or ``host:port``, in lower case."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    return host if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{port}"


def origin_of(url: str) -> str:
    """``https://host:port``: what one robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_tracking(part: str) -> bool:
    name = part.partition("=")[0].lower()
    return name.startswith("utm_") or name in _TRACKING


def _path(path: str) -> str:
    if "/." not in path:
        return path or "/"
    tidy = posixpath.normpath(path)
    return tidy + "/" if path.endswith(("/", "/.", "/..")) and tidy != "/" else tidy
