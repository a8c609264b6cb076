"""Ids of jobs: one rule for every way in, so that each job has an address of its own over HTTP."""

from __future__ import annotations

from typing import Any

from scheduler.core import error_messages
from scheduler.errors import InvalidName

ACTIONS = (
    *("pause", "resume", "run", "clone", "runs", "next", "changes", "restore", "backfill", "mute"),
    *("template", "declaration", "declaration/take", "declaration/keep"),
)
"""What follows the id of a job in an address."""

RESERVED = ("preview", "bulk", "bulk/background", "add")
"""What takes the place of an id in an address."""

_ENDS = tuple(f"/{action}" for action in ACTIONS)


def checked(id: Any) -> str:
    """
    Return the id of a new job.

    Browsers, clients and proxies resolve the segments “.” and “..”, and drop empty ones: an id with them would be the
    address of another job.

    :raises InvalidName: it cannot be an id
    """
    if not isinstance(id, str) or not 0 < len(id) <= 255 or not id.isprintable():
        raise InvalidName(error_messages.UNUSABLE_ID(id=str(id)[:64]))
    segments = id.split("/")
    if any(segment in ("", ".", "..") for segment in segments):
        raise InvalidName(error_messages.ID_WITHOUT_A_WORD(id=id[:64]))
    if id in RESERVED or id.endswith(_ENDS):
        raise InvalidName(error_messages.ID_IS_TAKEN_BY_ADDRESSES(id=id[:64], word=segments[-1]))
    return id
