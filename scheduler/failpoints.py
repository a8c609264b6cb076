"""
Places where tests let a node die, freeze, wait or fail. Off by default, at the cost of an empty call.

``SCHEDULER_FAILPOINTS="claim.before_commit=kill:0.01, beat.before=sleep 3:0.1"``: name, action, and how likely it is
each time. Actions are ``kill`` (SIGKILL), ``stop`` (SIGSTOP, until somebody continues the process), ``sleep SECONDS``
and ``raise``. ``SCHEDULER_FAILPOINTS_SEED`` makes the choice repeatable. Never set either in production.
"""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.errors import DatabaseUnavailable, Misconfigured

VARIABLE = "SCHEDULER_FAILPOINTS"
SEED = "SCHEDULER_FAILPOINTS_SEED"

NAMES = frozenset(
    {
        "claim.before_commit",
        "claim.after_commit",
        "run.before_gate",
        "run.after_gate",
        "run.before_user_code",
        "ring.before_commit",
        "ring.after_commit",
        "ring.after_send",
        "finish.before_commit",
        "finish.after_commit",
        "reap.before_commit",
        "beat.before",
        "listen.loop",
        "alerts.judge.before_commit",
        "alerts.announce_openings.before_commit",
        "alerts.announce_closings.before_commit",
        "alerts.announce_changes.before_commit",
        "alerts.escalate_incidents.before_commit",
        "alerts.remind_of_incidents.before_commit",
        "alerts.claim.before_commit",
        "alerts.claim.after_commit",
        "alerts.send.before",
        "alerts.send.after",
        "alerts.sent.before_record",
        "alerts.sent.after_record",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failpoint:
    """The action at a place and its probability."""

    action: str
    seconds: float = 0.0
    probability: float = 1.0


def parse(text: str) -> dict[str, Failpoint]:
    """
    Read the value of ``SCHEDULER_FAILPOINTS``.

    :raises Misconfigured: for a name, an action or a number that does not exist
    """
    found = {}
    for item in filter(None, (item.strip() for item in text.split(","))):
        name, _, rest = item.partition("=")
        action, _, probability = rest.partition(":")
        verb, _, seconds = action.partition(" ")
        if name not in NAMES or verb not in ("kill", "stop", "sleep", "raise"):
            raise Misconfigured(f"{VARIABLE} has “{item}”; names are {', '.join(sorted(NAMES))}.")
        try:
            found[name] = Failpoint(action=verb, seconds=float(seconds or 0), probability=float(probability or 1))
        except ValueError:
            raise Misconfigured(f"{VARIABLE} has a number that cannot be read in “{item}”.") from None
    return found


def armed(points: dict[str, Failpoint], *, seed: str) -> Callable[[str], None]:
    """Return a ``hit`` that does what was asked for."""
    chance = random.Random(f"{seed}-{os.getpid()}")  # noqa: S311 - it is to be repeatable

    def hit(name: str) -> None:
        point = points.get(name)
        if point is None or chance.random() >= point.probability:
            return
        if point.action == "raise":
            raise DatabaseUnavailable(f"The failpoint {name} says so.")
        if point.action == "sleep":
            threading.Event().wait(point.seconds)
        elif point.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            # Stops all threads, and this one here: sent to the process, another thread may be the first to notice.
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    return hit


def _off(name: str) -> None:
    """The default without failpoints."""


hit: Callable[[str], None] = _off
if os.environ.get(VARIABLE):
    hit = armed(parse(os.environ[VARIABLE]), seed=os.environ.get(SEED, ""))
