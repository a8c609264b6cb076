"""Make waiting runs this node's own, as far as its executors have room."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.core.tasks.registry import registry
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.store.recording import runs
from scheduler.store.sessions.notifications import Channel
from scheduler.untouched import time


class Take(Duty):
    """Take the oldest waiting runs of each executor that has room and for which more may wait."""

    every_pass = True
    wakes_on = Channel.RUNS

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._more = dict.fromkeys(work.workload.pools, True)
        self.complete_at: float | None = None
        """
        The time when this pass asked for the waiting runs of every executor with room.

        ``None``: not of every one.
        """

    @property
    def expects_more(self) -> bool:
        """Whether runs may wait for some executor."""
        return any(self._more.values())

    def soon(self) -> None:
        self.look_again()

    def look_again(self, executors: Iterable[str] | None = None) -> None:
        """Runs may wait for these executors, or for all: ask in the next pass. Safe in any thread."""
        for executor in self._more if executors is None else executors:
            self._more[executor] = True

    def wants_runs(self, executor: str) -> bool:
        """Whether a pass would give this executor more work. Safe in any thread."""
        workload = self.work.workload
        return (self._more[executor] or workload.has_pending(executor)) and workload.runs_dry(executor)

    def run(self) -> None:
        self.complete_at = time.monotonic()
        for executor, room in self.work.workload.room().items():
            if room <= 0:
                continue
            if not self._more[executor]:
                self.complete_at = None
                continue
            self._take(executor, limit=min(room, self.work.settings.claim_batch))

    def _take(self, executor: str, *, limit: int) -> None:
        # Put down before asking: another thread may raise it while the answer is on its way.
        self._more[executor] = False
        taken = runs.take(
            self.work.connection,
            node=self.work.identity.node,
            executor=executor,
            tasks=registry.names(),
            limit=limit,
        )
        self.work.workload.add(taken)
        if len(taken) >= limit:
            self._more[executor] = True
