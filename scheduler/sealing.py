"""
Sealing: the values of secret arguments in the database cannot be read without the project's key.

A sealed value is bound to its place: the job, the task and the argument that it was saved for. Copied to another job,
or left under another task, it cannot be opened. Values that were sealed before there were places are unbound. They open
until ``manage.py reseal`` has bound them and ``SCHEDULER["UNBOUND_SECRETS"]`` is False.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler import conf
from scheduler.errors import InvalidArguments
from scheduler.messages import declare
from scheduler.untouched import json

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

MARK = "$sealed"
"""The one key of an object that stands for a sealed value."""

_BELONGS_ELSEWHERE = declare(
    "secret_belongs_elsewhere",
    "The secret “{name}” was saved for another job, task or argument, and cannot be used here. Enter the secret again.",
    name=str,
)
_CANNOT_BE_OPENED = declare(
    "secret_cannot_be_opened",
    "A secret argument cannot be opened: SECRET_KEY is not the one that it was saved with. "
    "Enter the secret again, or list the former key in SECRET_KEY_FALLBACKS.",
)

_SHORTEST_MASKED = 4
"""Shorter secrets are not looked for in texts: they would mask every other word."""

_BOUND = "\x00bound:"
"""Prefix of a sealed text with a place. Arguments cannot begin so, as JSON in PostgreSQL cannot hold NUL."""


class Place(NamedTuple):
    """Where a secret belongs."""

    job: str
    task: str
    argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Arguments as the task gets them."""

    args: list[Any]
    kwargs: dict[str, Any]
    secrets: tuple[str, ...]
    """Values that must not appear in anything that is kept of the run, longest first."""


def is_sealed(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {MARK}


def seal(value: Any, *, place: Place | None = None) -> dict[str, str]:
    """Return an object that stands for the value, encrypted with a key that is not in the database."""
    text = value if place is None else _BOUND + json.dumps({"place": place, "value": value})
    return {MARK: _fernet().encrypt(text.encode()).decode()}


def unseal(value: Mapping[str, str], *, place: Place | None = None) -> Any:
    """
    Return the value that was sealed. Without a place it is opened wherever it belongs: never for a task to use.

    :raises InvalidArguments: it was sealed with another key or for another place, or was changed
    """
    bound_to, opened = _opened(value)
    if place is None or bound_to == place:
        return opened
    if bound_to is None and conf.get().unbound_secrets:
        return opened
    raise InvalidArguments(_BELONGS_ELSEWHERE(name=place.argument))


def is_present(value: Mapping[str, str]) -> bool:
    """Return whether a value was sealed with the project's present key."""
    from cryptography.fernet import InvalidToken

    try:
        _present_key().decrypt(value[MARK].encode())
    except (InvalidToken, AttributeError):
        return False
    return True


def is_at_home(value: Mapping[str, str], *, place: Place) -> bool:
    """Return whether a sealed value is bound to this place, with the project's present key."""
    return is_present(value) and _opened(value)[0] == place


def _opened(value: Mapping[str, str]) -> tuple[Place | None, Any]:
    from cryptography.fernet import InvalidToken

    try:
        text = _fernet().decrypt(value[MARK].encode()).decode()
    except (InvalidToken, AttributeError, UnicodeDecodeError):
        raise InvalidArguments(_CANNOT_BE_OPENED()) from None
    if not text.startswith(_BOUND):
        return None, text
    found = json.loads(text.removeprefix(_BOUND))
    return Place(*found["place"]), found["value"]


class Vault:
    """Seals and opens the arguments of one job. Without a job they are only looked at, and of use to none."""

    def __init__(self, *, job: str) -> None:
        self._job = job

    def seal(self, value: Any, *, task: str, argument: str) -> dict[str, str]:
        return seal(value, place=self._place(task, argument))

    def unseal(self, value: Mapping[str, str], *, task: str, argument: str) -> Any:
        return unseal(value, place=self._place(task, argument))

    def is_sealed(self, value: object) -> bool:
        return is_sealed(value)

    def is_at_home(self, value: Mapping[str, str], *, task: str, argument: str) -> bool:
        place = self._place(task, argument)
        return place is None or is_at_home(value, place=place)

    def _place(self, task: str, argument: str) -> Place | None:
        return Place(self._job, task, argument) if self._job else None


def open_arguments(
    *, args: Sequence[Any], kwargs: Mapping[str, Any], job: str, task: str, names: Sequence[str]
) -> Opened:
    """
    Open the secrets among the arguments of a job. ``names``: what the task calls its arguments, in order.

    :raises InvalidArguments: a secret cannot be opened
    """
    secrets: list[str] = []

    def opened(name: str, value: Any) -> Any:
        if not is_sealed(value):
            return value
        secret = unseal(value, place=Place(job, task, name))
        secrets.extend(text for text in _texts(secret) if len(text) >= _SHORTEST_MASKED)
        return secret

    plain_args = [opened(names[place] if place < len(names) else "", value) for place, value in enumerate(args)]
    plain_kwargs = {name: opened(name, value) for name, value in kwargs.items()}
    return Opened(args=plain_args, kwargs=plain_kwargs, secrets=tuple(sorted(secrets, key=len, reverse=True)))


def _texts(value: Any) -> Iterator[str]:
    """Return what of a value would be recognized in a text."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _fernet() -> MultiFernet:
    from django.conf import settings

    return _fernet_for((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def _present_key() -> MultiFernet:
    from django.conf import settings

    return _fernet_for((settings.SECRET_KEY,))


@lru_cache(maxsize=4)
def _fernet_for(keys: tuple[str, ...]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet  # with the first secret

    digests = [hashlib.sha256(b"scheduler.sealing:" + str(key).encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
