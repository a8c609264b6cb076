"""
Guarded outgoing HTTP: the one way in which tasks reach the network.

A name is looked up once, every address it has is checked (``scheduler.core.network``), and the connection goes to the
address that was checked, so a second look-up cannot change the answer. Each redirect goes through the same gate.
Answers are bounded: bytes on the wire, bytes after decompression, header, redirects, and the time for all of it.
Proxies and netrc of the environment are ignored. Cookies are not kept.

httpx is imported at the first use: most processes never send a request.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from scheduler.outgoing.limits import Limits

if TYPE_CHECKING:
    from scheduler.outgoing.requests import Answer, check, client, is_allowed_by_name, parse, request
    from scheduler.outgoing.transport import GuardedTransport, deadline_in

__all__ = [
    "Answer",
    "GuardedTransport",
    "Limits",
    "check",
    "client",
    "deadline_in",
    "is_allowed_by_name",
    "parse",
    "request",
]

_HOMES = {
    "requests": ("Answer", "check", "client", "is_allowed_by_name", "parse", "request"),
    "transport": ("GuardedTransport", "deadline_in"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
