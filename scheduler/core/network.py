"""
Which destinations outgoing requests may reach: the rule alone, without sockets or name look-ups.

People type addresses here, and pages redirect to other addresses. Addresses that the deployer has not allowed must
therefore be on the public internet. ``ipaddress.is_global`` does not decide this: it calls 6to4 and NAT64 spellings of
127.0.0.1 global, and its results differ between versions of Python. The lists below follow the special-purpose address
registries of IANA and reject addresses in doubt.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from scheduler.core import request_messages
from scheduler.errors import DestinationRefused
from scheduler.messages import Message, message, phrase

SCHEMES = {"http": 80, "https": 443}
PUBLIC_PORTS = frozenset(SCHEMES.values())

_REFUSED_IPV4 = tuple(
    (ipaddress.IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", message("an address of “this network”")),
        ("10.0.0.0/8", message("a private address")),
        ("100.64.0.0/10", message("an address shared inside a provider's network")),
        ("127.0.0.0/8", message("a loopback address")),
        ("168.63.129.16/32", message("an address of a cloud platform's own services")),
        ("169.254.0.0/16", message("a link-local address")),
        ("172.16.0.0/12", message("a private address")),
        ("192.0.0.0/24", message("reserved for protocols")),
        ("192.0.2.0/24", message("reserved for documentation")),
        ("192.88.99.0/24", message("a 6to4 relay")),
        ("192.168.0.0/16", message("a private address")),
        ("198.18.0.0/15", message("reserved for benchmarks")),
        ("198.51.100.0/24", message("reserved for documentation")),
        ("203.0.113.0/24", message("reserved for documentation")),
        ("224.0.0.0/4", message("a multicast address")),
        ("240.0.0.0/4", message("a reserved address")),
    )
)

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_REFUSED_IPV6 = tuple(
    (ipaddress.IPv6Network(network), what)
    for network, what in (
        ("::1/128", message("a loopback address")),
        ("fe80::/10", message("a link-local address")),
        ("fc00::/7", message("a private address")),
        ("ff00::/8", message("a multicast address")),
        ("2001::/23", message("reserved for protocols")),
        ("2001:db8::/32", message("reserved for documentation")),
        ("2002::/16", message("a 6to4 address, which stands for an IPv4 address")),
        ("3fff::/20", message("reserved for documentation")),
    )
)

# As the WHATWG URL standard: a host whose last label is a number is an IPv4 address, however it is spelled.
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)\Z")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHost:
    """One entry of the allow-list."""

    host: str
    port: int | None
    """``None``: every port."""

    @classmethod
    def parse(cls, text: str) -> AllowedHost:
        """Read ``host``, ``host:port``, ``::1`` or ``[::1]:port``."""
        host, separator, port = text.strip().rpartition(":")
        if separator and port.isdigit() and (":" not in host or host.endswith("]")):
            return cls(host=_plain(host), port=int(port))
        return cls(host=_plain(text.strip()), port=None)


def is_allowed(*, host: str, port: int, allowed_hosts: Iterable[str]) -> bool:
    """Say whether the deployer named this host, as it is written in the address, for this port."""
    entries = (AllowedHost.parse(entry) for entry in allowed_hosts)
    return any(entry.host == _plain(host) and entry.port in (None, port) for entry in entries)


def check_destination(
    *, scheme: str, host: str, port: int | None, has_credentials: bool = False, allowed_hosts: Iterable[str] = ()
) -> None:
    """
    Check the parts of an address before any name is looked up.

    :raises DestinationRefused: scheme, user name, port or the spelling of the host
    """
    if scheme not in SCHEMES:
        raise DestinationRefused(request_messages.SCHEME_REFUSED(scheme=scheme or phrase("no scheme")))
    if has_credentials:
        raise DestinationRefused(request_messages.ADDRESS_HOLDS_CREDENTIALS(host=host))
    if not host or _CONTROL.search(host) or "%" in host:
        raise DestinationRefused(request_messages.NOT_A_HOST(host=host))
    number = SCHEMES[scheme] if port is None else port
    if is_allowed(host=host, port=number, allowed_hosts=allowed_hosts):
        return
    if number not in PUBLIC_PORTS:
        raise DestinationRefused(request_messages.PORT_REFUSED(port=f"{number}", host=host, entry=_entry(host, number)))
    if not _is_plainly_written(host):
        raise DestinationRefused(request_messages.HOST_IS_A_NUMBER(host=host))
    if _as_address(host) is not None:
        check_address(address=_plain(host), host=host, port=number)


def check_address(*, address: str, host: str, port: int) -> None:
    """
    Check an address that a name was found to have.

    :raises DestinationRefused: it is not on the public internet
    """
    what = why_refused(address)
    if what is not None:
        place = address if _plain(host) == address else phrase("{address} (for {host})", address=address, host=host)
        raise DestinationRefused(request_messages.ADDRESS_REFUSED(place=place, kind=what, entry=_entry(host, port)))


def why_refused(address: str) -> Message | None:
    """Return why an address is not public, or ``None``."""
    parsed = _as_address(address)
    if parsed is None:
        return phrase("not an address")
    if isinstance(parsed, ipaddress.IPv4Address):
        return next((phrase(what) for network, what in _REFUSED_IPV4 if parsed in network), None)
    if parsed.scope_id is not None:
        return phrase("bound to one network interface")
    if parsed.ipv4_mapped is not None:
        return why_refused(str(parsed.ipv4_mapped))
    if parsed in _NAT64:
        # An IPv6-only network reaches all of IPv4 through this prefix, so the address inside it decides.
        return why_refused(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    for network, what in _REFUSED_IPV6:
        if parsed in network:
            return phrase(what)
    return None if parsed in _GLOBAL_UNICAST else phrase("not a global unicast address")


def _is_plainly_written(host: str) -> bool:
    """Say whether the host is a name, a dotted quad or an IPv6 address, and not a number in disguise."""
    if ":" in host or not _NUMERIC_LABEL.match(_plain(host).rpartition(".")[2]):
        return True
    return _as_address(host) is not None


def _as_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(_plain(host))
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _entry(host: str, port: int) -> str:
    """Return what allows the host in ``SCHEDULER['ALLOWED_HOSTS']``."""
    name = f"[{_plain(host)}]" if ":" in _plain(host) else _plain(host)
    return f"{name}:{port}"
