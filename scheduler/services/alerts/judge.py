"""The judge: when the rules that depend on time are evaluated."""

from __future__ import annotations

import time
from datetime import datetime

from scheduler.core.alerts import RuleKind
from scheduler.store import alerts
from scheduler.store.alerts import JUDGED_BY_TIME
from scheduler.store.clock import database_now
from scheduler.store.sessions.connections import Connection

_QUICK_SECONDS = 10.0
_SLOW_SECONDS = 60.0
_JUDGE_SECONDS: dict[RuleKind, float] = {
    RuleKind.LATE: _QUICK_SECONDS,
    RuleKind.DEADLINE: _QUICK_SECONDS,
    RuleKind.SLOW: _QUICK_SECONDS,
    RuleKind.SYSTEM: _QUICK_SECONDS,
    RuleKind.RESULT: _QUICK_SECONDS,
    RuleKind.SILENT: _SLOW_SECONDS,
    RuleKind.DROPPED: _SLOW_SECONDS,
}

_JUMP_SECONDS = 5.0
"""The clocks of the database and of this machine go apart by as much between two turns: one of them was set."""

_SETTLE_SECONDS = 60.0
"""Nodes catch up within this time. Before, every job looks late."""


class Judge:
    """Evaluates each kind of rule when its time has come. Another process that is at it already is not waited for."""

    def __init__(self, *, connection: Connection) -> None:
        self._connection = connection
        self._at = dict.fromkeys(JUDGED_BY_TIME, 0.0)
        self._clocks: tuple[datetime, float] | None = None

    def turn(self, *, now: datetime | None = None) -> None:
        """
        Evaluate what is due. ``now``: ``None`` is the clock of the database, which is read only then.

        :raises DatabaseUnavailable, DatabaseError: it is done at the next turn
        """
        here = time.monotonic()
        if here < min(self._at.values()):
            return
        self._follow(now or database_now(), here)
        for kind, at in self._at.items():
            if here < at:
                continue
            self._at[kind] = here + _JUDGE_SECONDS[kind]
            alerts.judge(self._connection, kind=kind)
            if kind is RuleKind.SYSTEM:
                alerts.settle_interrupted(self._connection)
                alerts.close_orphans(self._connection)

    def _follow(self, now: datetime, here: float) -> None:
        """Evaluate nothing for a while after the clock of the database was set, forward or back."""
        if self._clocks is not None:
            then, here_then = self._clocks
            if abs((now - then).total_seconds() - (here - here_then)) > _JUMP_SECONDS:
                self._at = dict.fromkeys(self._at, here + _SETTLE_SECONDS)
        self._clocks = (now, here)
