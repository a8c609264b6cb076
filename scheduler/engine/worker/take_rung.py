"""Ask the start gate for the runs that rings name."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler import failpoints
from scheduler.engine.duties import Agenda, Take, Work
from scheduler.engine.worker.rings import Received, Rings
from scheduler.remote import taking

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

        :raises DatabaseUnavailable: the ring whose answer is missing is the next one again
        """
        workload, answered = self.work.workload, 0
        for executor, pool in workload.pools.items():
            living: list[Received] = []
            for _ in range(_MOST_AT_ONCE):
                received = self.rings.next() if workload.wanted(executor) > 0 else None
                if received is None:
                    break
                if received.ring.run in pool.living():
                    living.append(received)  # its body lives from when this worker was taken for dead: it ends first
                else:
                    self._answer(received, executor)
                    answered += 1
            self.rings.return_to_end(living)
        return 0.0 if answered >= _MOST_AT_ONCE else None

    def give_back(self) -> None:
        """
        Have the runs of all rings that wait here rung again at once. Called when the loop has ended.

        :raises DatabaseUnavailable: they are rung again later
        """
        while (received := self.rings.next()) is not None:
            run, attempt, _ = received.ring
            taking.give_back(self.work.connection, node=self.work.identity.node, run=run, attempt=attempt)

    def _answer(self, received: Received, executor: str) -> None:
        workload = self.work.workload
        try:
            failpoints.hit("run.before_gate")
            run = taking.take(
                self.work.connection,
                node=self.work.identity.node,
                run=received.ring.run,
                attempt=received.ring.attempt,
            )
            failpoints.hit("run.after_gate")
        except BaseException:  # whatever it was: a ring that is lost here is rung again much later
            self.rings.return_to_front(received)
            raise
        if run is not None:
            run = run._replace(executor=executor)  # its body runs in a pool of this worker
            workload.begin(run)
            if workload.shares([run]):
                workload.note_limited([run.id])
            self.work.events.submitted(run)
        received.answered()
