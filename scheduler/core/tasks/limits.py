"""
Limits by key: so many starts in a time, or so many runs at once, over all jobs, tasks and nodes that share the key.

A task declares them: ``@task(rate="host:{host} 1/s", concurrency="host:{host} 2")``. The names in braces are arguments
of the task, so each host has a limit of its own. Starts of a rate are evenly spaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from scheduler.untouched import json

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_RATE = re.compile(r"(\d{1,6})/(s|min|h|d)")
_COUNT = re.compile(r"\d{1,6}")
_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit as a task declares it."""

    key: str
    """With the names of arguments in braces."""

    amount: str
    """Such as ``1/s`` or ``2``."""

    number: int
    seconds: float = 0.0
    """Between two starts; 0 for a limit of runs at once."""

    @property
    def names(self) -> frozenset[str]:
        """The arguments that the key names."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.key) if name is not None)

    def filled(self, arguments: Mapping[str, Any]) -> str:
        """Return the key for these arguments. It never fails: an argument that is absent is empty."""
        parts = (
            literal + ("" if name is None else _text(arguments.get(name)))
            for literal, name, _, _ in Formatter().parse(self.key)
        )
        key = " ".join("".join(parts).replace("\x00", "").split())
        if len(key) <= _LONGEST_KEY:
            return key
        return f"{key[: _LONGEST_KEY - 17]}…{hashlib.sha256(key.encode()).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a task."""

    rate: Limit | None = None
    concurrency: Limit | None = None

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for limit in (self.rate, self.concurrency) if limit for name in limit.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The keys under which a run has to wait for its turn. Empty: that limit is not declared."""

    rate_key: str = ""
    rate_seconds: float = 0.0
    concurrency_key: str = ""
    concurrency_most: int = 0
    label: str = ""
    """For people: ``host:example.org 1/s``."""

    @property
    def lane(self) -> str:
        """A key that is the same for runs that wait for the same limits: they go one after another."""
        return f"{self.rate_key} {self.rate_seconds:g}\n{self.concurrency_key} {self.concurrency_most}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A run that waits at the head of its lane."""

    run: int
    priority: int
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """Which runs may go on, and when. Times are seconds from now."""

    runs: dict[int, float] = field(default_factory=dict)
    next_starts: dict[str, float] = field(default_factory=dict)
    """By key of a rate: when its next run may start."""


def parse_rate(text: str) -> Limit:
    """:raises ValueError: naming the text and an example"""
    key, amount = _split(text)
    found = _RATE.fullmatch(amount)
    if found is None or not int(found[1]):
        raise ValueError(
            f"The rate is {text!r}; write a key, a number and s, min, h or d, such as “host:{{host}} 1/s”."
        )
    number = int(found[1])
    return Limit(key=key, amount=amount, number=number, seconds=_UNITS[found[2]] / number)


def parse_concurrency(text: str) -> Limit:
    """:raises ValueError: naming the text and an example"""
    key, amount = _split(text)
    if _COUNT.fullmatch(amount) is None or not int(amount):
        raise ValueError(f"The concurrency is {text!r}; write a key and a number, such as “host:{{host}} 2”.")
    return Limit(key=key, amount=amount, number=int(amount))


def share_of(*, limits: Limits, arguments: Mapping[str, Any]) -> Share:
    """Fill in the keys for one run."""
    rate, concurrency = limits.rate, limits.concurrency
    rate_key = rate.filled(arguments) if rate else ""
    concurrency_key = concurrency.filled(arguments) if concurrency else ""
    labels = [f"{key} {limit.amount}" for key, limit in ((rate_key, rate), (concurrency_key, concurrency)) if limit]
    return Share(
        rate_key=rate_key,
        rate_seconds=rate.seconds if rate else 0.0,
        concurrency_key=concurrency_key,
        concurrency_most=concurrency.number if concurrency else 0,
        label=", ".join(labels),
    )


def grant(
    *, heads: Iterable[Head], next_starts: Mapping[str, float], active: Mapping[str, int], horizon_seconds: float
) -> Grants:
    """
    Decide which of the waiting runs go on: by priority, then the oldest.

    ``next_starts``: when a rate allows its next start, in seconds from now; past or absent: at once. ``active``: how
    many runs a key has granted that have not ended. Starts up to ``horizon_seconds`` ahead are handed out.
    """
    granted = Grants()
    counts = dict(active)
    for head in sorted(heads, key=lambda head: (-head.priority, head.run)):
        share = head.share
        if share.concurrency_key and counts.get(share.concurrency_key, 0) >= share.concurrency_most:
            continue
        wait = 0.0
        if share.rate_key:
            known = granted.next_starts.get(share.rate_key, next_starts.get(share.rate_key, 0.0))
            wait = max(0.0, known)
            if wait > horizon_seconds:
                continue
            granted.next_starts[share.rate_key] = wait + share.rate_seconds
        if share.concurrency_key:
            counts[share.concurrency_key] = counts.get(share.concurrency_key, 0) + 1
        granted.runs[head.run] = wait
    return granted


def _split(text: str) -> tuple[str, str]:
    key, _, amount = text.strip().rpartition(" ")
    key = key.strip()
    try:
        parts = list(Formatter().parse(key))
    except ValueError:
        parts = []
    plain = all(name is None or (name.isidentifier() and not form and not how) for _, name, form, how in parts)
    if not key or not parts or not plain:
        raise ValueError(
            f"The limit is {text!r}; write a key with arguments in braces and an amount, separated by a space."
        )
    return key, amount


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, sort_keys=True, default=str)
