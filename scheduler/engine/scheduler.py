"""``DurableScheduler``: APScheduler's scheduler, with this project's node as its engine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apscheduler.events import (
    EVENT_JOB_MODIFIED,
    EVENT_SCHEDULER_SHUTDOWN,
    EVENT_SCHEDULER_STARTED,
    JobEvent,
    SchedulerEvent,
)
from apscheduler.executors.base import BaseExecutor
from apscheduler.executors.pool import ProcessPoolExecutor, ThreadPoolExecutor
from apscheduler.job import Job as ApschedulerJob
from apscheduler.schedulers import SchedulerAlreadyRunningError, SchedulerNotRunningError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_PAUSED, STATE_RUNNING, STATE_STOPPED
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from scheduler import conf
from scheduler.core.tasks.task import DEFAULT_EXECUTOR
from scheduler.core.triggers.apscheduler import from_apscheduler, to_apscheduler
from scheduler.core.triggers.zones import default_zone
from scheduler.engine.events import EventDispatcher
from scheduler.engine.loop import LONGEST_PAUSE_SECONDS, Passes
from scheduler.engine.node import Node
from scheduler.errors import StartedWhileImported, UnknownExecutor
from scheduler.execution.pools import PoolFactory
from scheduler.execution.processes import ProcessPool
from scheduler.execution.threads import ThreadPool
from scheduler.store.jobstore import PostgresJobStore
from scheduler.untouched import time

PROCESS_EXECUTOR = "processpool"


class DurableScheduler(BackgroundScheduler):
    """
    Runs jobs as one node of possibly many.

    ``add_job``, ``modify_job``, ``pause_job`` and their like work as in APScheduler 3.11, in this process at once and
    in every other node through the database. The tables and the pools of the node take the place of APScheduler's job
    store and executors. ``max_instances``, ``coalesce`` and ``misfire_grace_time`` are honoured over all nodes.
    """

    state: int
    """As APScheduler: stopped, running or paused."""

    def __init__(
        self,
        gconfig: Mapping[str, Any] | None = None,
        *,
        settings: conf.SchedulerSettings | None = None,
        owns_process: bool = False,
        **options: Any,
    ) -> None:
        self._settings = settings or conf.get()
        self._owns_process = owns_process
        """Whether the process may be ended when its node can do no work."""

        self._node: Node | None = None
        self._passes: Passes | None = None
        self._dispatcher = EventDispatcher(dispatch=self._dispatch_event, has_listeners=lambda: bool(self._listeners))
        defaults = {
            "coalesce": self._settings.coalesce,
            "max_instances": self._settings.max_instances,
            "misfire_grace_time": self._settings.misfire_grace_seconds,
        }
        options["job_defaults"] = {**defaults, **options.get("job_defaults", {})}
        if "apscheduler.timezone" not in (gconfig or {}):
            # APScheduler would take the machine's.
            options.setdefault("timezone", default_zone())
        super().__init__(gconfig or {}, **options)

    @property
    def node(self) -> Node | None:
        """The node that this scheduler is while it runs."""
        return self._node

    @property
    def is_done(self) -> bool:
        """Return whether the last pass found no due work and this node owns no runs."""
        return self._node is not None and self._node.loop.found_nothing and self._node.workload.is_idle

    @property
    def stalled_seconds(self) -> float:
        """
        The seconds for which the loop should have ended a pass and has not, or 0 while all is well.

        An existing thread alone would not prove that the loop works.
        """
        if self._node is None or self.state != STATE_RUNNING:
            return 0.0
        silent = time.monotonic() - self._node.loop.progressed_at
        longest = self._settings.answer_timeout_seconds + self._settings.poll_seconds + LONGEST_PAUSE_SECONDS
        return silent if silent > longest else 0.0

    def start(self, paused: bool = False) -> None:
        """
        Start the node in threads of its own and return. If ``paused``, it claims jobs after ``resume`` only.

        :raises SchedulerAlreadyRunningError: it runs
        :raises StartedWhileImported: this is a child of a process pool that imports the script
        :raises DatabaseUnavailable: the node was not started
        """
        if self.state != STATE_STOPPED:
            raise SchedulerAlreadyRunningError
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise StartedWhileImported
        self._start_stores()
        node = self._node = Node(
            settings=self._settings,
            executors=self._pool_factories(),
            events=self._dispatcher,
            owns_process=self._owns_process,
        )
        node.start()
        self._dispatcher.start()
        self.state = STATE_PAUSED if paused else STATE_RUNNING
        self._passes = Passes(node=node, is_running=lambda: self.state == STATE_RUNNING)
        node.pacemaker.watch(self._passes)
        self._passes.start()
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_STARTED))

    def shutdown(self, wait: bool = True, *, grace_seconds: float | None = None) -> None:
        """
        Stop the node: unstarted runs go to other nodes at once, running ones may end within the grace time.

        ``wait=False``: they may not. Later calls while it stops do not wait either.

        :raises SchedulerNotRunningError: it does not run
        """
        node = self._node
        if self.state == STATE_STOPPED or node is None:
            raise SchedulerNotRunningError
        self.state = STATE_STOPPED
        node.pacemaker.rest()
        if self._passes is not None:
            self._passes.stop(timeout=None)
        grace = self._settings.grace_seconds if grace_seconds is None else grace_seconds
        node.stop(grace_seconds=grace if wait else 0.0)
        with self._jobstores_lock:
            for store in self._jobstores.values():
                store.shutdown()
        self._dispatch_event(SchedulerEvent(EVENT_SCHEDULER_SHUTDOWN))
        self._dispatcher.stop()
        self._node = None

    def resume(self) -> None:
        super().resume()
        self.wakeup()

    def wakeup(self) -> None:
        """Look for due jobs now."""
        if self._node is not None:
            self._node.wakeups.wake()

    def add_executor(self, executor: BaseExecutor | str, alias: str = DEFAULT_EXECUTOR, **options: Any) -> None:
        """
        Add an executor: APScheduler's ``ThreadPoolExecutor(n)`` or ``ProcessPoolExecutor(n)`` gives a pool of ``n``.

        :raises UnknownExecutor: of another class, or the scheduler runs already
        """
        if self.state != STATE_STOPPED:
            raise UnknownExecutor("Executors are fixed while the scheduler runs. Add them before start().")
        super().add_executor(executor, alias, **options)
        made = self._executors[alias]
        if not isinstance(made, ThreadPoolExecutor | ProcessPoolExecutor):
            del self._executors[alias]
            raise UnknownExecutor(
                f"{type(made).__name__} cannot be used here: its runs could not be put into the ledger. "
                "Use ThreadPoolExecutor or ProcessPoolExecutor."
            )

    def resume_job(self, job_id: str, jobstore: str | None = None) -> ApschedulerJob | None:
        """
        Let a paused job become due again. A job whose trigger has ended becomes finished, where APScheduler would
        delete it.

        :raises JobLookupError: the job does not exist
        """
        with self._jobstores_lock:
            job, alias = self._lookup_job(job_id, jobstore)
            store = self._jobstores[alias]
        is_over = job.trigger.get_next_fire_time(None, datetime.now(self.timezone)) is None
        if not is_over or not isinstance(store, PostgresJobStore):
            resumed: ApschedulerJob | None = super().resume_job(job_id, jobstore)
            return resumed
        store.finish_job(job_id)
        self._dispatch_event(JobEvent(EVENT_JOB_MODIFIED, job_id, alias))
        return None

    def _create_trigger(self, trigger: Any, trigger_args: dict[str, Any]) -> BaseTrigger:
        """Let our own rules decide when a cron fires. APScheduler's would search to the year 9999 for 31 February."""
        made = super()._create_trigger(trigger, trigger_args)
        return to_apscheduler(from_apscheduler(made)) if isinstance(made, CronTrigger) else made

    def run_once(self) -> float:
        """Do one pass of the node in the caller's thread and return the seconds to sleep."""
        assert self._node is not None  # noqa: S101 - only called while it runs
        return self._node.run_once()

    def _start_stores(self) -> None:
        with self._jobstores_lock:
            if DEFAULT_EXECUTOR not in self._jobstores:
                self.add_jobstore(PostgresJobStore(), "default")
            for alias, store in self._jobstores.items():
                store.start(self, alias)
            for job, alias, replace_existing in self._pending_jobs:
                self._real_add_job(job, alias, replace_existing)
            del self._pending_jobs[:]

    def _pool_factories(self) -> dict[str, PoolFactory]:
        """Make the pools that were added, and the two that every node has."""
        factories: dict[str, PoolFactory] = {}
        settings = self._settings
        for alias, executor in self._executors.items():
            size = executor._pool._max_workers  # the only place where APScheduler keeps it
            kind = ProcessPool if isinstance(executor, ProcessPoolExecutor) else ThreadPool
            factories[alias] = kind.factory(size=size, settings=settings)
        factories.setdefault(DEFAULT_EXECUTOR, ThreadPool.factory(size=settings.threads, settings=settings))
        if settings.processes:
            processes = ProcessPool.factory(size=settings.processes, settings=settings)
            factories.setdefault(PROCESS_EXECUTOR, processes)
        return factories
