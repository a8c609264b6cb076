"""A node without threads: it does its passes, and runs the bodies, in the thread of the test."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from django.db import Error, connections

from scheduler import __version__, conf
from scheduler.core import zone_rules
from scheduler.core.queues import tracks
from scheduler.core.states import NodeState
from scheduler.core.tasks.adapters import EndedRun
from scheduler.core.tasks.registry import NODE_EXECUTORS, registry
from scheduler.engine.duties import DUTIES, Agenda, Duty, LookAhead, Take, Work
from scheduler.engine.duties.release import Release
from scheduler.engine.endings import adapter_of
from scheduler.engine.events import NoEvents
from scheduler.engine.heartbeat import Identity, Lease
from scheduler.engine.loop import NodeLoop
from scheduler.engine.workload import Workload
from scheduler.execution import logs
from scheduler.execution.pools import Deadline, Pool, Report
from scheduler.execution.recorder import Recorder
from scheduler.execution.runner import begin, execute
from scheduler.loops import Share
from scheduler.models import Job, Run
from scheduler.store.claiming.heads import Heads
from scheduler.store.claiming.positions import Positions
from scheduler.store.liveness import nodes
from scheduler.store.liveness.nodes import Announcement
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.django_session import DjangoSession
from scheduler.testing import clock

NAME = "test"
"""The name of the node in the ledger."""

_PLACES = 10_000
_MOST_PASSES = 1_000


class InlineNode:
    """
    Claims, starts, runs and records like any node, by the same duties, runner and recorder.

    All of it happens on Django's connection, so that it sees the rows of a test that is rolled back. It has no
    heartbeat and hears no wake-ups. Timeouts and cancelling do not reach a body, which has the only thread.
    """

    def __init__(self) -> None:
        settings = dataclasses.replace(conf.get(), queues=())
        session = DjangoSession()
        self.identity = Identity()
        self._session = session
        self._pools = {
            name: _InlinePool(name=name, report=self._report, identity=self.identity) for name in _executors()
        }
        self._workload = Workload(pools=self._pools, settings=settings)
        self._recorder = Recorder(
            identity=self.identity,
            settled=self._settled,
            released=lambda: None,
            gather_seconds=0.0,
            rows=settings.flush_rows,
            backlog=settings.backlog_rows,
        )
        self._recorder.connection = session
        lease = Lease(seconds=math.inf)
        lease.renew(since=0.0)
        self._work = Work(
            identity=self.identity,
            settings=settings,
            workload=self._workload,
            lease=lease,
            events=NoEvents(),
            connection=session,
            positions=Positions(whole_seconds=0.0),
            ended=self._report_ends,
            ringers=_NoRingers(),
        )
        self.recorded = 0
        """Number of bodies that ended."""

    def __enter__(self) -> InlineNode:
        announcement = Announcement(
            node=self.identity.node,
            name=NAME,
            version=__version__,
            executors={name: pool.size for name, pool in self._pools.items()},
            tasks=registry.names(),
            tzdata=zone_rules.release(),
        )
        nodes.register(self._session, announcement=announcement)
        return self

    def __exit__(self, *_: object) -> None:
        nodes.change_state(self._session, node=self.identity.node, state=NodeState.STOPPED)

    def run_due(self) -> int:
        """Take what is due now, run it, record it, and return the number of bodies that ran. One after the other."""
        before = self.recorded
        self._take_all()
        with logs.kept(level=self._work.settings.run_log_level):
            for pool in self._pools.values():
                pool.run_all()
        return self.recorded - before

    def _take_all(self) -> None:
        """Do passes until everything that is due waits for its body, in a loop that remembers nothing."""
        loop = NodeLoop(self._work, duties=_DUTIES)
        for _ in range(_MOST_PASSES):
            if loop.run() > 0 and not loop.duty(Take).expects_more:
                return
        raise AssertionError(f"There was more to do after {_MOST_PASSES} passes: {_PLACES} runs at once are too many.")

    def _report(self, run: OwnedRun, outcome: Outcome) -> None:
        self.recorded += 1
        if clock.stands():  # nothing lasts
            self._recorder.read_clock = lambda: outcome.finished
            outcome = outcome._replace(started=outcome.finished)
        left = self._recorder.record([outcome])
        assert not left, f"Another connection has locked the row of run {run.id}."  # noqa: S101

    def _report_ends(self, runs: Sequence[EndedRun]) -> None:
        for run in runs:
            adapter = adapter_of(run.task)
            if adapter is not None:
                adapter.ended(runs=[run])

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        ended = [outcome.run_id for outcome in outcomes]
        self._report_ends(self._workload.ended(outcomes))
        self._workload.forget(ended)
        self._workload.end_limited(ended)


class _Heads(Heads):
    """Every line is read from its first entry."""

    def note(self, *_: object, **__: object) -> None:
        """Nodes remember a place in a line that was slow to read, and pass by what comes before it for a while."""


class _Take(Take):
    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._heads = _Heads()


class _LookAhead(LookAhead):
    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._queues_share = self._runs_share = _ALWAYS


class _Release(Release):
    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        self._share = _ALWAYS


_ALWAYS = Share(quick_seconds=math.inf, rest=0.0)

_IN_TESTS: dict[type[Duty], type[Duty]] = {Take: _Take, LookAhead: _LookAhead, Release: _Release}
"""A node does rarely what has taken long. A test asks once, and on a busy machine everything may take long."""

_DUTIES = tuple(_IN_TESTS.get(kind, kind) for kind in DUTIES)


def _executors() -> list[str]:
    """Return those of nodes, and the remote ones that tasks, jobs and runs name: their bodies run here as well."""
    named = {task.executor for task in registry.all()}
    for model in (Job.objects.all(), Run.objects.active()):
        named |= set(model.filter(executor__contains=tracks.REMOTE).values_list("executor", flat=True).distinct())
    remote = {tracks.executor_of(name) for name in named if tracks.is_remote(name)}
    return sorted(NODE_EXECUTORS | remote)


class _NoRingers:
    """Rings no broker: it has no other thread, and what it sees is rolled back."""

    def wake(self, brokers: Iterable[str] = ()) -> None: ...


class _InlinePool(Pool):
    """Collects runs and executes them when it is told to."""

    def __init__(self, *, name: str, report: Report, identity: Identity) -> None:
        super().__init__(name=name, size=_PLACES, report=report, identity=identity)

    def run_all(self) -> None:
        """Run the bodies of what was submitted. Runs that these enqueue are left for the next pass."""
        for run in self.take_back():
            self._submitted += 1
            savepoints = _Savepoints()
            current = begin(run, node=self._identity.node)
            self._ended_run(run, execute(run, current, at_end=savepoints.end, keeps_connections=True))

    def begun(self) -> Collection[int]:
        return ()

    def cancel(self, run_id: int) -> None:
        """Between two passes every body has ended."""

    def end_overdue(self) -> None:
        """A body has the only thread, and cannot be ended."""

    def start(self) -> None:
        """There are no threads."""

    def stop(self, *, deadline: Deadline) -> list[OwnedRun]:
        return []


class _Savepoints:
    """
    Lets a body behave in the transaction of a test as nearly as on a node, where its statements commit one by one.

    Its writes stay when it fails, unless an error of the database left the transaction unusable. Its callbacks of
    ``transaction.on_commit`` are called at its end.
    """

    def __init__(self) -> None:
        self._open = [
            (connection, str(connection.savepoint()), len(connection.run_on_commit))
            for connection in connections.all(initialized_only=True)
            if connection.in_atomic_block
        ]

    def end(self) -> None:
        calls: list[Callable[[], Any]] = []
        for connection, savepoint, before in self._open:
            try:
                connection.savepoint_commit(savepoint)
            except Error:
                connection.needs_rollback = False
                connection.savepoint_rollback(savepoint)
            calls += _taken(connection.run_on_commit, after=before)
        for call in calls:
            call()


def _taken(registered: list[Any], *, after: int) -> Iterable[Callable[[], Any]]:
    calls = [entry[1] for entry in registered[after:]]
    del registered[after:]
    return calls
