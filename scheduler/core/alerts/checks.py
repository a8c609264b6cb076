"""The checks of the scheduler itself that a rule of the kind ``system`` watches: the health, and the sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.core import health
from scheduler.core.health import Limits, Standing, Status
from scheduler.messages import message

CHANNEL_FAILS_SECONDS = 600.0
"""A channel that fails for longer is an incident, and messages that are due for longer."""

NODES_GONE_SECONDS = 60.0
"""A restart takes less."""

_BAD: dict[str, tuple[Status, ...]] = {
    "nodes": (Status.FAIL,),
    "overdue": (Status.FAIL,),
    "queue": (Status.FAIL,),
    "brokers": (Status.FAIL,),
    "recorder": (Status.FAIL,),
    "clocks": (Status.FAIL, Status.WARN),
}
"""Which checks of the health are incidents. Rules about jobs cover faults of single jobs."""

SENTENCES: dict[str, str] = {
    "nodes": message("No node is alive: no job runs until one is started."),
    "overdue": message("Jobs are overdue: no node plans them."),
    "queue": message("Runs wait too long in a queue."),
    "brokers": message("The broker of a remote executor refuses messages: its runs wait."),
    "recorder": message("A node has results that it cannot write: check what holds up the database."),
    "clocks": message("The clock of a node is wrong. Jobs run on time all the same. Set up NTP."),
    "sender": message("Messages wait to be sent: no sender is running. Start a node, or “manage.py send_alerts”."),
    "channel": message("A channel does not accept messages."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingCheck:
    """One thing that is wrong."""

    name: str
    """A word of ``SENTENCES``, or ``channel:`` and an id."""

    measured: float
    text: str = ""
    """The finding of the check."""


def failing_checks(*, standing: Standing, sending: Mapping[str, float], limits: Limits) -> list[FailingCheck]:
    """
    Return what is wrong with the scheduler.

    ``sending`` has the seconds since which each channel fails, as ``channel:ID``, and ``sender``: for how long the
    oldest message is due.
    """
    found: list[FailingCheck] = []
    for check in health.checks(standing, limits=limits):
        if check.status not in _BAD.get(check.name, ()):
            continue
        age = standing.scheduling.heartbeat_age
        if check.name == "nodes" and (age is None or age < NODES_GONE_SECONDS):
            continue  # none ever ran, or the last one restarts
        found.append(FailingCheck(name=check.name, measured=float(check.value or 0.0), text=check.text))
    found += [FailingCheck(name=name, measured=seconds) for name, seconds in sorted(sending.items())]
    return found
