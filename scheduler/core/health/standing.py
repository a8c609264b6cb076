"""Measurements of the scheduling, at one time and by the database's clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from scheduler.core.queues import tracks
from scheduler.core.states import NodeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduling:
    """Everything that is read in one row. Ages are in seconds. ``None``: without such a row."""

    now: datetime
    due: int
    """Active jobs whose time has come and that no node has planned yet."""

    overdue: int
    """Those that are due for longer than they should be."""

    max_overdue: float | None
    next_run_time: datetime | None
    nodes: int
    """Meant to be running."""

    fresh_nodes: int
    """With a heartbeat that is young enough."""

    heartbeat_age: float | None
    """Of the node that was heard last."""

    uptime: float | None
    """Of the fresh node that runs longest."""

    backlog: int | None
    """Outcomes in the memory of the node that is furthest behind."""

    backlog_seconds: float | None
    """Age of the oldest outcome that a node has not recorded."""

    skew: float | None
    """The largest distance between the clock of a node and the database's."""

    failing: int
    """Active jobs whose last run failed."""

    stopped: int
    """Jobs that the scheduler paused because they failed too often in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The queue of one executor. Ages are in seconds. ``None``: without such a row."""

    executor: str
    queued: int
    running: int
    held: int
    oldest: float | None
    """For how long the oldest queued run has waited that may start. Those of paused queues are not counted."""

    oldest_held: float | None
    """For how long the oldest run has waited for another run of its job."""

    youngest_running: float | None
    """The age of the newest start among the running runs."""

    unheeded: int
    """Runs that go on although they were asked to end a while ago."""

    rung: int = 0
    """Queued runs of a remote executor of which its broker was told."""

    oldest_rung: float | None = None
    """Seconds since the oldest of these messages."""

    paused_queues: Sequence[str] = ()
    """Names of its paused queues in which runs wait."""

    paused: int = 0
    """The runs among the queued ones that wait in paused queues."""

    oldest_paused: float | None = None
    """For how long the oldest of them has waited that may start."""

    @property
    def longest(self) -> float | None:
        """The age of the run that has waited longest, for whatever reason."""
        ages = [age for age in (self.oldest, self.oldest_held, self.oldest_paused) if age is not None]
        return max(ages, default=None)


class QueueView(NamedTuple):
    """A queue with active runs, over all executors. Its fields are the columns of ``measure_queues``."""

    name: str
    queued: int
    deferred: int
    """Those of the queued runs that are to begin later."""

    running: int
    oldest: float | None
    """For how many seconds the oldest run has waited that may start. ``None``: none waits."""

    is_paused: bool


class QueueTotal(NamedTuple):
    """Counts of the runs of a queue that have ended. Its fields are the columns of ``measure_queue_counters``."""

    name: str
    ended: int
    """Ever: it never shrinks."""

    ended_last_hour: int
    """Counted by five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The runs that wait for limits, and the limit that most of them wait for."""

    label: str
    """As people read it: ``host:example.org 1/s``."""

    runs: int
    oldest: float
    """For how many seconds the oldest of these runs has waited."""

    all_runs: int
    """Those that wait for any limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node that is meant to be alive, and its own measures. ``None``: it reported none."""

    id: str
    name: str
    state: str
    heartbeat_age: float
    uptime: float
    stuck: int
    executors: dict[str, int]
    is_fresh: bool
    backlog: int | None
    tick_seconds: float | None
    busy: dict[str, int]
    waiting: dict[str, int]
    connections: int | None
    skew: float | None
    tzdata: str
    """The release of its time zone rules; empty: it is of an earlier release of the scheduler."""

    memory_bytes: int | None
    """Resident memory of the node and its child processes."""

    processors: float | None
    """Processors that they keep busy."""

    kept_by: str = ""
    """Numbers of the runs that keep its interpreter to themselves."""

    kind: str = NodeKind.NODE
    """A node, or a worker of a kind of remote executor."""

    brokers: dict[str, dict[str, str]] = field(default_factory=dict)
    """The brokers that refused its last messages, each with ``error`` and ``since``."""

    queues: list[str] = field(default_factory=list)
    """Those that it serves. Empty: a node serves all."""

    is_drained: bool = False
    """Somebody wants it to take no more runs."""

    @property
    def takes_runs(self) -> bool:
        return self.is_fresh and self.state == "running" and not self.is_drained

    @property
    def is_worker(self) -> bool:
        return self.kind != NodeKind.NODE

    @property
    def places(self) -> dict[str, int]:
        """Runs at once, by the executor that runs name. A worker has one pool for all queues of its broker."""
        if not self.is_worker:
            return self.executors
        return {tracks.remote(self.kind, queue): self.executors.get(self.kind, 0) for queue in self.queues}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStarted:
    """A job of which something that is due has not begun."""

    job: str
    since: datetime | None
    """Since when the oldest late run has waited, or ``None``."""

    fire_times: int
    """The number of fire times in a row without a run, 0 if below the warning level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTransaction:
    """The transaction that has been open longest."""

    seconds: float
    name: str
    """The process and its application, or the name of a prepared transaction."""

    is_prepared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUp:
    """The known facts about the deletion of old rows."""

    is_scheduled: bool
    """An active job does it."""

    age: float | None
    """Seconds since it was done, by whomever. ``None``: never."""

    is_needed: bool
    """Runs ended more than a day ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything that was measured at one time."""

    scheduling: Scheduling
    nodes: Sequence[NodeView]
    queues: Sequence[Waiting]
    stalled: int
    """Jobs whose last fire times all passed without a run."""

    transaction: OpenTransaction | None
    jobs: dict[str, int]
    """Numbers by state."""

    unadopted: int
    clean_up: CleanUp
    tzdata: str
    """The release of the time zone rules of the process that measured."""
    limited: Limited | None = None
    """``None``: no run waits for a limit."""

    named_queues: Sequence[QueueView] = ()
    """Queues as nodes serve them, by name."""
