"""
The author of changes to jobs, reported to the database.

A trigger on the table of jobs writes the history, in the statement that changes a job. The author, the way in and the
reason reach it in a setting that lasts until the transaction ends. Without that setting the database's role is noted as
the author.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from scheduler.core import reasons, text
from scheduler.core.states import ChangeAction, Via
from scheduler.store import database, statements
from scheduler.untouched import json

_MOST_ACTOR_CHARS = 150
_MOST_REASON_CHARS = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """The person or program that changes a job, its way in, and the reason."""

    actor: str = ""
    via: Via = Via.CODE
    reason: str = ""
    """A text that a person typed, or a message of ``scheduler.core.reasons``."""

    action: ChangeAction | None = None
    """``None``: what the change itself looks like."""

    restored_version: int | None = None
    also: Mapping[str, Any] = field(default_factory=dict)
    """Old and new values of facts outside the columns of the definition, by name."""


def announce(*, author: Author, job: str) -> None:
    """Say who makes the next change of this job. The caller's transaction is open."""
    _set_author(json.dumps({**_document(author), "job": job}))


@contextmanager
def of_many(*, author: Author) -> Iterator[None]:
    """Say who changes the jobs that are changed in here. The caller's transaction is open."""
    _set_author(json.dumps(_document(author)))
    yield
    # What raised rolls the setting back with everything else.
    _set_author("")


def _document(author: Author) -> dict[str, Any]:
    document: dict[str, Any] = {
        "via": Via(author.via).value,
        "actor": text.storable(author.actor, most=_MOST_ACTOR_CHARS),
        "reason": text.storable(reasons.text_of(author.reason), most=_MOST_REASON_CHARS),
    }
    if code := reasons.code_of(author.reason):
        document |= {"reason_code": code, "reason_params": reasons.params_of(author.reason)}
    if author.action is not None:
        document["action"] = author.action.value
    if author.restored_version is not None:
        document["restored_version"] = author.restored_version
    if author.also:
        document["also"] = dict(author.also)
    return document


def _set_author(said: str) -> None:
    with database.cursor() as cursor:
        cursor.execute(statements.load("set_author_of_changes"), {"said": said})
