"""Ask the start gate for the runs that rings name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler import failpoints
from scheduler.engine.duties import Agenda, Take, Work
from scheduler.engine.worker.rings import Received, Rings
from scheduler.remote import taking
from scheduler.remote.executors import Ring
from scheduler.store.recording.runs import OwnedRun

_MOST_AT_ONCE = 100
"""Rings that one pass answers. The other duties have their turn between two passes."""


class TakeRung(Take):
    """Take the place of ``Take``: begin the runs that rings name, as many as the pool has room for."""

    wakes_on = None

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self.rings = Rings()

    @property
    def expects_more(self) -> bool:
        return len(self.rings) > 0

    def look_again(self, executors: Iterable[str] | None = None) -> None:
        """Runs come by rings alone."""

    def wants_runs(self, executor: str) -> bool:
        return self.expects_more and self.work.workload.runs_dry(executor)

    def run(self) -> float | None:
        """
        Answer rings until no place is free. Those that are dropped take none, and the next pass follows at once.

        :raises DatabaseUnavailable: the rings whose answers are missing are the next ones again
        """
        answered = 0
        for executor, pool in self.work.workload.pools.items():
            living: list[Received] = []
            while batch := self._next(executor, most=_MOST_AT_ONCE - answered):
                held = pool.living()
                living += [received for received in batch if received.ring.run in held]
                batch = [received for received in batch if received.ring.run not in held]
                answered += len(batch)
                if batch and self._answer(batch, executor) < len(batch):
                    answered += self._drop_stale(most=_MOST_AT_ONCE - answered)
            self.rings.return_to_end(
                living
            )  # their bodies live from when this worker was taken for dead: they end first
        return 0.0 if answered >= _MOST_AT_ONCE else None

    def give_back(self) -> None:
        """
        Have the runs of all rings that wait here rung again at once. Called when the loop has ended.

        :raises DatabaseUnavailable: they are rung again later
        """
        left = [received.ring for received in self.rings.next_ones(len(self.rings))]
        if left:
            taking.give_back(self.work.connection, node=self.work.identity.node, rings=left)

    def _next(self, executor: str, *, most: int) -> list[Received]:
        """Take out as many rings as an executor has places for."""
        return self.rings.next_ones(max(0, min(self.work.workload.wanted(executor), most)))

    def _answer(self, batch: Sequence[Received], executor: str) -> int:
        """Begin what may begin of these rings, drop the others, and return how many have begun."""
        begun: set[int] = set()
        try:
            failpoints.hit("run.before_gate")
            rings = [received.ring for received in batch]
            for run in taking.take(self.work.connection, node=self.work.identity.node, rings=rings):
                failpoints.hit("run.after_gate")
                self._begin(run, executor)
                begun.add(run.id)
        except BaseException:  # whatever it was: a ring that is lost here is rung again much later
            self.rings.return_to_front(received for received in batch if received.ring.run not in begun)
            _acknowledge(received for received in batch if received.ring.run in begun)
            raise
        _acknowledge(batch)
        return len(begun)

    def _begin(self, run: OwnedRun, executor: str) -> None:
        workload, run = self.work.workload, run._replace(executor=executor)  # its body runs in a pool of this worker
        workload.begin(run)
        if workload.shares([run]):
            workload.note_limited([run.id])
        self.work.events.submitted(run)

    def _drop_stale(self, *, most: int) -> int:
        """Drop the next rings whose runs wait no longer: where one was doubled, others were."""
        following = self.rings.next_ones(most)
        stale: frozenset[Ring] = frozenset()
        try:
            if following:
                stale = taking.stale(self.work.connection, rings=[received.ring for received in following])
        finally:
            self.rings.return_to_front(received for received in following if received.ring not in stale)
        _acknowledge(dropped := [received for received in following if received.ring in stale])
        return len(dropped)


def _acknowledge(several: Iterable[Received]) -> None:
    for received in several:
        received.answered()
