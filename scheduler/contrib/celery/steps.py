"""The step of a Celery worker that runs bodies beside its own pool."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from celery import bootsteps, signals
from celery.exceptions import WorkerShutdown

from scheduler import conf
from scheduler.contrib.celery import messages
from scheduler.core.states import NodeKind
from scheduler.engine.worker.worker import Worker
from scheduler.errors import DatabaseUnavailable, SchedulerError
from scheduler.services.database_errors import is_transient
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 30.0
"""The longest that a worker waits for a database that is starting up, as a node does."""

_POOLS = {
    "celery.concurrency.prefork": True,
    "celery.concurrency.thread": False,
    "celery.concurrency.solo": False,
}
"""Modules of Celery's pools for which bodies run, and whether they run in child processes."""


class Bodies(bootsteps.StartStopStep):
    """
    Keeps a worker of the scheduler inside a Celery worker, with as many places as Celery's ``--concurrency`` says.

    It starts after Celery's pool has made its processes, so that these inherit neither threads nor sessions of it, and
    before the consumer. It stops after the consumer.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self.worker: Worker | None = None
        served = parent.app.conf.scheduler_queues  # as ``setup`` was told
        self._queues = tuple(parent.app.amqp.queues.consume_from)
        self.enabled = served is None or not set(served).isdisjoint(self._queues)
        if not self.enabled:
            return
        self._uses_processes = _uses_processes(parent.pool_cls)
        self._places = _places(parent)
        _leave_one_process(parent)

    @classmethod
    def of(cls, parent: Any) -> Bodies:
        """Return the step of a Celery worker."""
        found: Bodies = parent.blueprint[cls.name]
        return found

    def start(self, parent: Any) -> None:
        """:raises WorkerShutdown: it cannot work here; the log says why"""
        signals.worker_shutting_down.connect(self._hurry)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.worker is None:
            worker = self._made(parent)
            try:
                worker.start()
            except SchedulerError as error:
                if not isinstance(error, DatabaseUnavailable) or not is_transient(error) or time.monotonic() > deadline:
                    logger.error(events.WORKER_NOT_STARTED, extra={"error": str(error)})
                    raise WorkerShutdown(1) from error
                logger.warning(events.WORKER_WAITS_FOR_THE_DATABASE, extra={"error": str(error)})
                time.sleep(1.0)
            else:
                self.worker = worker

    def stop(self, parent: Any) -> None:
        """Celery's warm shutdown."""
        self._stop(may_wait=True)

    def terminate(self, parent: Any) -> None:
        """Celery's cold shutdown."""
        self._stop(may_wait=False)

    def info(self, parent: Any) -> dict[str, Any]:
        """The facts that ``celery inspect stats`` shows."""
        if self.worker is None:
            return {}
        return {"scheduler": {"node": self.worker.node.identity.node, "places": self._places}}

    def _stop(self, *, may_wait: bool) -> None:
        if self.worker is not None:
            self.worker.stop(may_wait=may_wait)
            self.worker = None

    def _hurry(self, how: str = "", **options: Any) -> None:
        """A cold shutdown that is requested during a warm one."""
        if how == "Cold" and self.worker is not None:
            self.worker.hurry.set()

    def _made(self, parent: Any) -> Worker:
        settings = conf.get()
        if parent.max_tasks_per_child:
            settings = dataclasses.replace(settings, runs_per_child=parent.max_tasks_per_child)
        return Worker(
            kind=NodeKind.CELERY,
            name=settings.node_name or parent.hostname,
            queues=self._queues,
            places=self._places,
            uses_processes=self._uses_processes,
            settings=settings,
        )


def _uses_processes(pool: Any) -> bool:
    """:raises SystemExit: bodies cannot run in such a worker"""
    module = getattr(pool, "__module__", str(pool))
    if module not in _POOLS:
        raise SystemExit(
            f"Bodies of the scheduler cannot run in a worker with the pool {module.rpartition('.')[2]}: its time-outs, "
            "cancelling and heartbeat need threads of the system. Start it with --pool prefork, threads or solo."
        )
    return _POOLS[module]


def _places(parent: Any) -> int:
    if parent.pool_cls.__module__.endswith(".solo"):
        return 1
    return int(parent.max_concurrency or parent.concurrency)


def has_other_tasks(app: Any) -> bool:
    """Return whether a Celery application has tasks beside the one of the scheduler."""
    return any(name != messages.TASK and not name.startswith("celery.") for name in app.tasks)


def _leave_one_process(parent: Any) -> None:
    """An application that has no other tasks needs no second pool: Celery's own is made with one process."""
    if not has_other_tasks(parent.app) and not parent.autoscale:
        parent.min_concurrency = 1
