"""Sealing the values of secret arguments: what the database holds cannot be read without the project's key."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from scheduler.errors import InvalidArguments
from scheduler.messages import declare

MARK = "$sealed"
"""The one key of an object that stands for a sealed value."""

_CANNOT_BE_OPENED = declare(
    "secret_cannot_be_opened",
    "A secret argument cannot be opened: SECRET_KEY is not the one that it was saved with. "
    "Enter the secret again, or list the former key in SECRET_KEY_FALLBACKS.",
)

_SHORTEST_MASKED = 4
"""Shorter secrets are not looked for in texts: they would mask every other word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Arguments as the task gets them."""

    args: list[Any]
    kwargs: dict[str, Any]
    secrets: tuple[str, ...]
    """Values that must not appear in anything that is kept of the run, longest first."""


def is_sealed(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {MARK}


def seal(value: str) -> dict[str, str]:
    """Return an object that stands for the value, encrypted with a key that is not in the database."""
    return {MARK: _fernet().encrypt(value.encode()).decode()}


def unseal(value: Mapping[str, str]) -> str:
    """
    Return the value that was sealed.

    :raises InvalidArguments: it was sealed with another key, or changed
    """
    try:
        return _fernet().decrypt(value[MARK].encode()).decode()
    except (InvalidToken, AttributeError, UnicodeDecodeError):
        raise InvalidArguments(_CANNOT_BE_OPENED()) from None


def open_arguments(*, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Opened:
    """:raises InvalidArguments: a secret cannot be opened"""
    secrets: list[str] = []

    def opened(value: Any) -> Any:
        if not is_sealed(value):
            return value
        secret = unseal(value)
        if len(secret) >= _SHORTEST_MASKED:
            secrets.append(secret)
        return secret

    plain_args = [opened(value) for value in args]
    plain_kwargs = {name: opened(value) for name, value in kwargs.items()}
    return Opened(args=plain_args, kwargs=plain_kwargs, secrets=tuple(sorted(secrets, key=len, reverse=True)))


def _fernet() -> MultiFernet:
    from django.conf import settings

    return _fernet_for((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _fernet_for(keys: tuple[str, ...]) -> MultiFernet:
    digests = [hashlib.sha256(b"scheduler.sealing:" + str(key).encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])
