"""The checks of the scheduler itself that a rule of the kind ``system`` watches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from scheduler.messages import message

CHANNEL_FAILS_SECONDS = 600.0
"""A channel that fails for longer is an incident, and messages that are due for longer."""

NODES_GONE_SECONDS = 60.0
"""A restart takes less."""


class Scheduling(Protocol):
    """What is known of the scheduling: see ``store.measures``."""

    @property
    def overdue(self) -> int: ...
    @property
    def max_overdue(self) -> float | None: ...
    @property
    def fresh_nodes(self) -> int: ...
    @property
    def heartbeat_age(self) -> float | None: ...
    @property
    def backlog(self) -> int | None: ...
    @property
    def skew(self) -> float | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From which values on a check fails."""

    backlog: int
    skew_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingCheck:
    """One thing that is wrong."""

    name: str
    """A word of ``SENTENCES``, or ``channel:`` and an id."""

    measured: float


SENTENCES: dict[str, str] = {
    "nodes": message("No node is alive: no job runs until one is started."),
    "overdue": message("Jobs are overdue: no node plans them."),
    "recorder": message("A node has outcomes that it cannot record: see what holds up the database."),
    "clocks": message("The clock of a node is wrong. Jobs run on time all the same; set up NTP."),
    "sender": message("Messages wait to be sent: no sender is running. Start a node, or “manage.py send_alerts”."),
    "channel": message("A channel does not accept messages."),
}


def failing_checks(*, scheduling: Scheduling, sending: Mapping[str, float], limits: Limits) -> list[FailingCheck]:
    """
    Return what is wrong with the scheduler.

    ``sending`` has the seconds since which each channel fails, as ``channel:ID``, and ``sender``: for how long the
    oldest message is due.
    """
    found: list[FailingCheck] = []
    age = scheduling.heartbeat_age
    if not scheduling.fresh_nodes and age is not None and age >= NODES_GONE_SECONDS:
        found.append(FailingCheck(name="nodes", measured=age))
    if scheduling.overdue:
        found.append(FailingCheck(name="overdue", measured=scheduling.max_overdue or 0.0))
    if scheduling.backlog is not None and scheduling.backlog > limits.backlog:
        found.append(FailingCheck(name="recorder", measured=float(scheduling.backlog)))
    if scheduling.skew is not None and scheduling.skew > limits.skew_seconds:
        found.append(FailingCheck(name="clocks", measured=scheduling.skew))
    found += [FailingCheck(name=name, measured=seconds) for name, seconds in sorted(sending.items())]
    return found
