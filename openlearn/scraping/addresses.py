"""Addresses of pages: one canonical spelling, so that one page is one document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from django.utils.encoding import uri_to_iri

LONGEST = 2000
"""Bytes as UTF-8, and therefore characters: what the database's index and most servers take."""

_TRACKING = frozenset(
    {
        "_ga", "_gl", "_hsenc", "_hsmi", "dclid", "fbclid", "gad_campaignid", "gad_source", "gbraid", "gclid",
        "gclsrc", "igshid", "mc_cid", "mc_eid", "mkt_tok", "msclkid", "ttclid", "twclid", "vero_id", "wbraid",
        "wickedid", "yclid",
    }
)  # fmt: skip
"""Parameters of advertising and mailing systems, which do not select a page."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARTS = re.compile(r"(https?)://(?:[^@/?#]*@)?(\[[^\]]*\]|[^:/?#]+)(:\d+)?(/[^?#]*)(?:\?([^#]*))?")
"""An address as the parser writes it."""

_SCHEME_ALONE = re.compile(r"\s*https?:(?!//)", re.I)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_SESSION = re.compile(r";(?:jsessionid|phpsessid)=[^;/?]*", re.I)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_NUMERIC_HOST = re.compile(r"[\d.]+|\[.*")


def canonical(*, url: str, base: str = "") -> str | None:
    """
    Return the address as browsers read it, without what chooses no page: fragment, tracking, default port, session.

    The rules are those of the WHATWG URL standard, and percent-encoding is normalised as RFC 3986 (6.2.2) says.
    ``None`` for what is not the address of a web page (``mailto:``, ``javascript:``, a broken or overlong one).
    """
    import ada_url  # with its compiled library: most processes, such as nodes, read no address

    if "\x00" in url or _SCHEME_ALONE.match(url):
        return None
    try:
        parts = _PARTS.match(ada_url.URL(url, base or None).href)
    except ValueError:
        return None
    if parts is None:
        return None
    scheme, host, port, path, query = parts.groups(default="")
    path = _normal_escapes(path)
    if ";" in path:
        path = _SESSION.sub("", path)
    if query:
        kept = "&".join(part for part in _normal_escapes(query).split("&") if part and not _is_tracking(part))
        query = f"?{kept}" if kept else ""
    address = f"{scheme}://{host.rstrip('.')}{port}{path}{query}"
    return address if is_short_enough(address) else None


def with_fragment(address: str, part: str) -> str | None:
    """Return the address of one part of a page, or ``None`` if it becomes too long."""
    named = f"{address}#{quote(part, safe='-._~!$&()*+,;=:@/?%')}"
    return named if is_short_enough(named) else None


def fragment_of(url: str) -> str:
    return url.partition("#")[2].strip()


def without_fragment(address: str) -> str:
    return address.partition("#")[0]


def variants(address: str) -> list[str]:
    """
    Return the spellings under which a canonical address may be stored, itself first.

    Sites move between http and https, to and from ``www.``, and add or drop the slash at the end. All of these lead to
    the same page. Addresses stored by earlier releases kept letters that are percent-encoded now.
    """
    parts = urlsplit(address)
    host = parts.netloc
    hosts, schemes = [host], [parts.scheme]
    if ":" not in host:
        schemes.append("http" if parts.scheme == "https" else "https")
        if not _NUMERIC_HOST.fullmatch(host) and "." in host:
            hosts.append(host.removeprefix("www.") if host.startswith("www.") else f"www.{host}")
    paths = [parts.path]
    if parts.path != "/":
        paths.append(parts.path.rstrip("/") if parts.path.endswith("/") else f"{parts.path}/")
    rest = (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    found = [f"{scheme}://{name}{path}{rest}" for scheme in schemes for name in hosts for path in paths]
    if "%" in address:
        found += [uri_to_iri(spelling) for spelling in found]
    return list(dict.fromkeys(found))


def is_short_enough(address: str) -> bool:
    """Return whether the index can hold it, also where its letters take several bytes each."""
    return len(address.encode(errors="replace")) <= LONGEST


def host_of(url: str) -> str:
    """``host`` or ``host:port``, in lower case."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    return host if port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{port}"


def same_site(one: str, other: str) -> bool:
    """Return whether two addresses are on one host, ``www.`` or not."""
    return host_of(one).removeprefix("www.") == host_of(other).removeprefix("www.")


def origin_of(url: str) -> str:
    """``https://host:port``: what one robots.txt speaks for."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An address that a page claims for itself, by a redirect or a canonical link."""

    own: str
    claimed: str


_NOT_CONTENT = re.compile(
    r"/(?:log[-_]?in|sign[-_]?in|signup|register|consent|cookies?|captcha|challenge|blocked|denied|error|40[0-9]|"
    r"not[-_]?found|page[-_]?not[-_]?found|maintenance|unavailable|sso|auth|oauth2?)(?:[/.?]|$)",
    re.I,
)


def is_plausible(claim: Claim) -> bool:
    """
    Return whether the claimed address may be the page's own.

    A deep page is neither the front page of its site nor a place to sign in: sites that say so redirect what they do
    not have, or have one canonical link in a template for all pages.
    """
    own, claimed = urlsplit(claim.own), urlsplit(claim.claimed)
    if _NOT_CONTENT.search(claimed.path) and not _NOT_CONTENT.search(own.path):
        return False
    is_front = claimed.path in {"", "/"} and not claimed.query
    was_front = own.path in {"", "/"} and not own.query
    return was_front or not is_front


def _is_tracking(part: str) -> bool:
    name = part.partition("=")[0].lower().removeprefix("amp;")
    return name.startswith("utm_") or name in _TRACKING


def _normal_escapes(text: str) -> str:
    """Percent-encoding in upper case, and only where it is needed."""
    return _ESCAPE.sub(_normal_escape, text) if "%" in text else text


def _normal_escape(escape: re.Match[str]) -> str:
    letter = chr(int(escape[1], 16))
    return letter if letter in _UNRESERVED else f"%{escape[1].upper()}"
