"""The worker: a node with the duties of a worker, its loop and its measures."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence

from scheduler.conf import SchedulerSettings
from scheduler.core.states import NodeKind
from scheduler.engine.duties import Grant, Reconcile
from scheduler.engine.duties.announce import Announce
from scheduler.engine.duties.cancel import Cancel
from scheduler.engine.duty import Duty
from scheduler.engine.loop import Passes
from scheduler.engine.node import Node
from scheduler.engine.reporter import Reporter
from scheduler.engine.worker.rings import Received
from scheduler.engine.worker.take_rung import TakeRung
from scheduler.errors import DatabaseUnavailable
from scheduler.execution.pools import PoolFactory
from scheduler.execution.processes import ProcessPool
from scheduler.execution.threads import ThreadPool
from scheduler.remote.executors import Ring
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

DUTIES: tuple[type[Duty], ...] = (Reconcile, Cancel, Grant, TakeRung, Announce)


class Worker:
    """
    Runs bodies in this process, or in children of it, for messages that somebody else receives.

    ``queues``: those of the broker that are served here. ``uses_processes``: bodies run in child processes, which can
    be ended, and otherwise in threads. ``owns_process``: the pacemaker may end this process when its loops stand still.
    """

    def __init__(
        self,
        *,
        kind: NodeKind,
        name: str,
        queues: Sequence[str],
        places: int,
        uses_processes: bool,
        settings: SchedulerSettings,
        owns_process: bool = True,
    ) -> None:
        settings = dataclasses.replace(settings, node_name=name, queues=tuple(queues))
        pool = ProcessPool if uses_processes else ThreadPool
        executors: dict[str, PoolFactory] = {kind.value: pool.factory(size=places, settings=settings)}
        self.node = Node(settings=settings, executors=executors, owns_process=owns_process, duties=DUTIES, kind=kind)
        self._take = self.node.loop.duty(TakeRung)
        self._passes = Passes(node=self.node)
        self._reporter = Reporter(node=self.node, settings=settings)
        self._grace_seconds = settings.grace_seconds

    def start(self) -> None:
        """
        Announce the worker and begin to answer rings.

        :raises WrongEnvironment, DatabaseUnavailable: it was not started, and another one has to be made
        """
        self.node.start()
        self.node.pacemaker.watch(self._passes)
        self._passes.start()
        self._reporter.start()

    def ring(self, ring: Ring, *, answered: Callable[[], None]) -> None:
        """
        Ask the start gate for this run as soon as a place is free. Safe in any thread.

        ``answered`` is called when the ledger has decided, in the thread of the loop, before the body ends.
        """
        self._take.rings.add(Received(ring=ring, answered=answered))
        self.node.wakeups.wake()

    def works_on(self, run_id: int) -> bool:
        """Return whether this run has begun here and its outcome is not recorded yet."""
        return self.node.workload.get(run_id) is not None

    def forget_rings(self) -> None:
        """The broker delivers again what is not answered."""
        self._take.rings.forget()

    @property
    def hurry(self) -> threading.Event:
        """Set when stopping must no longer wait for bodies."""
        return self.node.hurry

    def stop(self, *, may_wait: bool = True) -> None:
        """Release what has not begun, and let bodies end within the grace time if it ``may_wait``."""
        self.node.pacemaker.rest()
        self._passes.stop(timeout=None)
        self._reporter.stop()
        try:
            self._take.give_back()
        except DatabaseUnavailable as error:
            logger.warning(events.NODE_STOP_INCOMPLETE, extra={"step": "rings", "error": str(error)})
        self.node.stop(grace_seconds=self._grace_seconds if may_wait else 0.0)
