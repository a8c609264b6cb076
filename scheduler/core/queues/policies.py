"""The policies of an enqueued run: those of its task, because it has no job."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from scheduler.core import error_messages
from scheduler.core.definition import BY_NAME
from scheduler.core.jobs import policies as job_policies
from scheduler.errors import InvalidPolicy

UNIQUE_WHILE = ("queued", "active")
"""Until when a key is taken: until its run begins, or until it ends."""

_RETRIES = ("max_retries", "retry_delay", "retry_backoff", "retry_delay_cap", "retry_jitter")
_LONGEST_SECONDS = 31_536_000
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The rules for enqueued runs of a task. Durations are seconds or a ``timedelta``."""

    executor: str = "default"
    timeout: float | timedelta | None = None
    max_retries: int = 0
    retry_delay: float | timedelta = BY_NAME["retry_delay"].default
    retry_backoff: float = BY_NAME["retry_backoff"].default
    retry_delay_cap: float | timedelta = BY_NAME["retry_delay_cap"].default
    retry_jitter: float = BY_NAME["retry_jitter"].default
    idempotent: bool = False
    """It may run twice: it is run again when its node dies."""

    unique: bool | str = False
    """``True``: one run with the same arguments at a time. A text such as ``user:{user}``: one for each such key."""

    unique_while: str = "active"
    expires: float | timedelta | None = None
    """A run that has not begun after so long is missed."""

    def __post_init__(self) -> None:
        """:raises InvalidPolicy: naming the value and what is allowed"""
        names = ("executor", "timeout", *_RETRIES)
        job_policies.check({name: getattr(self, name) for name in names})
        if not isinstance(self.idempotent, bool):
            raise InvalidPolicy(error_messages.POLICY_IS_A_BOOLEAN(name="idempotent", value=f"{self.idempotent}"))
        if self.unique_while not in UNIQUE_WHILE:
            raise InvalidPolicy(error_messages.UNIQUE_WHILE(value=f"{self.unique_while}"))
        if not isinstance(self.unique, bool) and not _is_template(self.unique):
            raise InvalidPolicy(error_messages.UNUSABLE_UNIQUE(value=f"{self.unique}"))
        if self.expires is not None and seconds_of(self.expires) is None:
            raise InvalidPolicy(error_messages.UNUSABLE_DURATION(name="expires", value=f"{self.expires}"))

    @property
    def timeout_seconds(self) -> float | None:
        return None if self.timeout is None else seconds_of(self.timeout)

    @property
    def timeout_delta(self) -> timedelta | None:
        return None if self.timeout_seconds is None else timedelta(seconds=self.timeout_seconds)

    @property
    def lifetime_seconds(self) -> float | None:
        return None if self.expires is None else seconds_of(self.expires)

    def stored(self) -> str | None:
        """
        Return what a run keeps of them, as JSON. ``None`` is stored for a run that is tried once and has no key.

        An object with the retry policies of a job, ``rerun_if_interrupted`` and ``unique_while``.
        """
        return _stored(self) if self.max_retries or self.idempotent or self.unique else None

    def unique_key(self, *, task: str, arguments: Mapping[str, Any], call: str) -> str | None:
        """
        Return the key of a call, or ``None`` if any number of its runs may wait. ``call`` is the arguments as JSON.

        :raises InvalidPolicy: the template names something else than an argument
        """
        if not self.unique:
            return None
        said = call if self.unique is True else self._formatted(arguments)
        key = f"{task}:{said}"
        if self.unique is True or len(key) > _LONGEST_KEY or not key.isprintable():
            return f"{task[:190]}:{hashlib.sha256(key.encode()).hexdigest()[:48]}"
        return key

    def _formatted(self, arguments: Mapping[str, Any]) -> str:
        try:
            return str(self.unique).format_map({name: _spelled(value) for name, value in arguments.items()})
        except (KeyError, IndexError, AttributeError, ValueError):
            raise InvalidPolicy(error_messages.UNUSABLE_UNIQUE(value=f"{self.unique}")) from None


@lru_cache(maxsize=1024)
def _stored(policies: Policies) -> str:
    retries = job_policies.check({name: getattr(policies, name) for name in _RETRIES})
    kept: dict[str, Any] = {**retries, "rerun_if_interrupted": policies.idempotent}
    if policies.unique:
        kept["unique_while"] = policies.unique_while
    return json.dumps(kept)


DEFAULTS = Policies()


def seconds_of(duration: object) -> float | None:
    """Return a duration in seconds, or ``None`` if it is not one that can be used."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_SECONDS:
        return None
    return float(seconds)


def _is_template(text: object) -> bool:
    """Return whether it is a text whose fields are plain names."""
    if not isinstance(text, str) or not text:
        return False
    try:
        fields = [(name, form, kind) for _, name, form, kind in string.Formatter().parse(text) if name is not None]
    except ValueError:
        return False
    return all(name.isidentifier() and not form and not kind for name, form, kind in fields)


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
