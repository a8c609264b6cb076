"""Let other nodes know that runs wait for which this one has no room."""

from __future__ import annotations

from scheduler.engine.duty import Duty
from scheduler.store.sessions import notifications
from scheduler.store.sessions.notifications import Channel


class Announce(Duty):
    """Wake the other nodes, a few times a second at most."""

    merge_seconds = 0.1

    def run(self) -> None:
        notifications.notify_from(self.work.connection, Channel.RUNS)
