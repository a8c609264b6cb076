"""
Guarded outgoing HTTP: the one way in which tasks reach the network.

A name is looked up once, every address it has is checked (``scheduler.core.network``), and the connection goes to the
address that was checked, so a second look-up cannot change the answer. Each redirect goes through the same gate.
Answers are bounded: bytes on the wire, bytes after decompression, header, redirects, and the time for all of it.
Proxies and netrc of the environment are ignored. Cookies are not kept.
"""

from scheduler.outgoing.limits import Limits
from scheduler.outgoing.requests import Answer, check, client, is_allowed_by_name, parse, request
from scheduler.outgoing.transport import GuardedTransport

__all__ = ["Answer", "GuardedTransport", "Limits", "check", "client", "is_allowed_by_name", "parse", "request"]
