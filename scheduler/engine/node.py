"""The node: wires its parts together, starts them in order, drains and stops them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence

from scheduler import __version__
from scheduler.conf import SchedulerSettings
from scheduler.core import reasons, zone_rules
from scheduler.core.states import NodeKind, NodeState
from scheduler.core.tasks.registry import registry
from scheduler.engine.duties import DUTIES, Duty, Grant, Reconcile, Work
from scheduler.engine.endings import Endings
from scheduler.engine.events import Events, NoEvents
from scheduler.engine.heartbeat import Heartbeat, Identity
from scheduler.engine.loop import NodeLoop
from scheduler.engine.pacemaker import Pacemaker
from scheduler.engine.wakeups import Wakeups
from scheduler.engine.workload import Workload
from scheduler.errors import DatabaseUnavailable
from scheduler.execution import logs
from scheduler.execution.pools import Deadline, PoolFactory, Timekeeper, stop_all
from scheduler.execution.recorder import Recorder
from scheduler.messages import Message
from scheduler.remote.ringing import Ringers
from scheduler.store.claiming.positions import Positions
from scheduler.store.jobs import definitions
from scheduler.store.liveness import installation, nodes, sequences
from scheduler.store.liveness.nodes import Announcement
from scheduler.store.recording import runs
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions import notifications
from scheduler.store.sessions.connections import Connection, Watchdog, open_all
from scheduler.store.sessions.notifications import Channel
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)


class Node:
    """One scheduler process, as the other nodes see it."""

    def __init__(
        self,
        *,
        settings: SchedulerSettings,
        executors: Mapping[str, PoolFactory],
        events: Events | None = None,
        owns_process: bool = False,
        duties: tuple[type[Duty], ...] = DUTIES,
        kind: NodeKind = NodeKind.NODE,
    ) -> None:
        self.identity = Identity()
        self.name = settings.name()
        self.kind = kind
        self._settings = settings
        self._events = events or NoEvents()
        self._connection = Connection(purpose="node")
        self._lost = threading.Event()
        self._stalled = threading.Event()
        self._stop_once = threading.Lock()
        self.hurry = threading.Event()
        """Set when stopping must no longer wait."""

        self.pass_seconds: float | None = None
        """Duration of the latest pass of the loop."""

        self.recorder = self._make_recorder()
        note = self.recorder.note
        pools = {name: make(name, self._report, note, self.identity) for name, make in executors.items()}
        self.workload = Workload(pools=pools, settings=settings)
        self.wakeups, self.ringers, self._endings = Wakeups(), Ringers(settings=settings), Endings()
        self.heartbeat = self._make_heartbeat()
        self.pacemaker = self._make_pacemaker(ends_process=owns_process)
        self._watchdog = Watchdog()
        self._timekeeper = Timekeeper(pools=pools.values())
        self._session = Connection(purpose="tick")
        self.loop = NodeLoop(self._make_work(), duties=duties)

    def _make_recorder(self) -> Recorder:
        return Recorder(
            identity=self.identity,
            settled=self._settled,
            released=self._released,
            gather_seconds=self._settings.flush_seconds,
            rows=self._settings.flush_rows,
            backlog=self._settings.backlog_rows,
        )

    def _make_heartbeat(self) -> Heartbeat:
        return Heartbeat(
            identity=self.identity,
            settings=self._settings,
            lost=self._lost.set,
            wake=self.wakeups.wake,
            stuck=lambda: sum(pool.stuck for pool in self.workload.pools.values()),
            ended=self._endings.add,
        )

    def _make_pacemaker(self, *, ends_process: bool) -> Pacemaker:
        return Pacemaker(
            identity=self.identity,
            settings=self._settings,
            pools=self.workload.pools.values(),
            vital=(self.heartbeat, self.recorder.batcher),
            stalled=self._stalled.set,
            ends_process=ends_process,
        )

    def _make_work(self) -> Work:
        return Work(
            identity=self.identity,
            settings=self._settings,
            workload=self.workload,
            lease=self.heartbeat.lease,
            events=self._events,
            connection=self._session,
            positions=Positions(whole_seconds=self._settings.poll_seconds),
            ended=self._endings.add,
            ringers=self.ringers,
        )

    @property
    def executors(self) -> dict[str, int]:
        """Runs at once, by executor."""
        return {name: pool.size for name, pool in self.workload.pools.items()}

    def start(self) -> None:
        """
        Announce the node and start its parts. The caller then calls ``run_once`` repeatedly.

        :raises WrongEnvironment, DatabaseUnavailable: the node was not started
        """
        installation.admit(environment=self._settings.environment)
        if moved := sequences.advance():
            logger.warning(events.SEQUENCES_ADVANCED, extra={"tables": moved})
        self._open_sessions()
        self._register(self.identity)
        self._watchdog.start()
        self.heartbeat.start()
        self.recorder.start()
        logs.install(level=self._settings.run_log_level)
        self.pacemaker.start()
        for pool in self.workload.pools.values():
            pool.start()
        self._timekeeper.start()
        self.wakeups.start()
        if unadopted := definitions.count_unadopted(self._connection):
            logger.warning(events.JOBS_UNADOPTED, extra={"count": unadopted, "mend": "manage.py adopt_jobs"})
        started = {"node": self.identity.node, "node_name": self.name, "pid": os.getpid(), **self.executors}
        logger.info(events.NODE_STARTED, extra=started)

    def run_once(self) -> float:
        """
        Do one pass of the loop and return the seconds to sleep.

        :raises DatabaseUnavailable: the next pass goes on
        """
        if self._lost.is_set():
            self._become_another()
        if self._stalled.is_set():
            self._start_over()
        self.loop.hear(self.wakeups.heard())
        began = time.monotonic()
        pause = self.loop.run()
        self.pass_seconds = time.monotonic() - began
        return pause

    def stop(self, *, grace_seconds: float) -> None:
        """
        Stop: release runs that have not begun, wait for the others up to the grace time, record everything, mark the
        node.

        Runs that do not end in time become ``interrupted``, and are run again elsewhere if their jobs want that. Call
        it from the thread that called ``run_once``, or after that thread has ended.
        """
        if not self._stop_once.acquire(blocking=False):
            return
        began = time.monotonic()
        self.pacemaker.rest()
        deadline = Deadline(seconds=grace_seconds, hurry=self.hurry)
        self.wakeups.stop()
        self.ringers.stop()
        unbegun = self.workload.take_back()  # whoever sees that it stops sees it begin no other run
        self._try("stopping", lambda: self._change_state(NodeState.STOPPING))
        self._try("give_back", lambda: self._give_back(unbegun))
        left = stop_all(self.workload.pools.values(), deadline=deadline)
        self._timekeeper.stop()
        written = self.recorder.stop(timeout=5.0)
        self.heartbeat.stop()
        self._try("stopped", lambda: self._mark_stopped(len(left)))
        self._endings.stop()
        self.pacemaker.stop()
        self._session.close()
        self._connection.close()
        self._watchdog.stop()
        logger.info(
            events.NODE_STOPPED,
            extra={
                "node": self.identity.node,
                "given_back": len(unbegun),
                "interrupted": len(left),
                "unrecorded": 0 if written else len(self.recorder.batcher),
                "seconds": round(time.monotonic() - began, 2),
            },
        )

    def _open_sessions(self) -> None:
        """
        Open the sessions that the node needs, before it announces itself: a server that is full later cannot stop it.

        :raises DatabaseUnavailable: the server has too little room, and all sessions were closed
        """
        sessions = (self._connection, self.heartbeat.connection, self._session, self.recorder.connection)
        open_all(sessions)

    def _register(self, identity: Identity, *, former: str | None = None) -> None:
        announcement = Announcement(
            node=identity.node,
            name=self.name,
            version=__version__,
            kind=self.kind,
            executors=self.executors,
            queues=self._settings.queues,
            tasks=registry.names(),
            tzdata=zone_rules.release(),
        )
        nodes.register(self._connection, announcement=announcement, former=former)

    def _become_another(self) -> None:
        """The others took this node for dead: drop what it owned and go on under a new identity."""
        former = self.identity.node
        dropped = self.workload.take_back()
        self.workload.forget(run.id for run in dropped)
        self.workload.live_on()
        self._register(successor := Identity(), former=former)
        self.identity.become(successor)
        self._lost.clear()
        self.heartbeat.beat_now()
        self.loop.look_for_runs()
        returned = {"node": self.identity.node, "former": former, "dropped": len(dropped)}
        logger.warning(events.NODE_RETURNED, extra=returned)

    def _start_over(self) -> None:
        """The interpreter stood still, and what had not begun was given back: drop it here as well."""
        self._stalled.clear()
        self.workload.forget(run.id for run in self.workload.take_back())
        self.loop.duty(Reconcile).soon()

    def _report(self, run: OwnedRun, outcome: Outcome) -> None:
        # What the body returned is for listeners only: the backlog must not keep it while the database is away.
        self.recorder.add(outcome if outcome.value is None else outcome._replace(value=None))
        self._events.ended(run, outcome)
        if self.loop.wants_runs(run.executor):
            self.wakeups.wake()

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        self.workload.log_ended(outcomes)
        self._endings.add(self.workload.ended(outcomes))
        self.workload.settle(outcomes, node=self.identity.node)
        if self.workload.end_limited(outcome.run_id for outcome in outcomes):
            self.loop.duty(Grant).soon()
            self.wakeups.wake()

    def _released(self) -> None:
        self.loop.look_for_runs()
        self.wakeups.wake()

    def _give_back(self, unbegun: Sequence[OwnedRun]) -> None:
        if unbegun:
            runs.give_back(self._connection, runs=[run.id for run in unbegun], node=self.identity.node)
            notifications.notify_from(self._connection, Channel.RUNS)

    def _change_state(self, state: NodeState, *, reason: Message | None = None) -> None:
        nodes.change_state(self._connection, node=self.identity.node, state=state, reason=reason)

    def _mark_stopped(self, interrupted: int) -> None:
        early = reasons.STOPPED_EARLY(number=interrupted) if interrupted else None
        self._change_state(NodeState.STOPPED, reason=early)
        # What is still active here was left behind: account for it now. The heartbeat alone judges who else is silent.
        most = self._settings.max_recoveries
        reaped = nodes.reap(self._connection, reaper=self.identity.node, reap_after_seconds=None, max_recoveries=most)
        self._endings.add(reaped.ended if reaped is not None else ())
        if interrupted:
            notifications.notify_from(self._connection, Channel.RUNS)

    def _try(self, step: str, do: Callable[[], None]) -> None:
        try:
            do()
        except DatabaseUnavailable as error:
            # The others will find this node silent and do the same for it.
            logger.warning(events.NODE_STOP_INCOMPLETE, extra={"step": step, "error": str(error)})
