"""Status: how the scheduler is doing, in one look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler import conf
from scheduler.core.states import JobState
from scheduler.services.queries import metrics
from scheduler.services.queries.metrics import Tally
from scheduler.store import measures
from scheduler.store.measures import NodeView, Scheduling, Waiting


class Word(StrEnum):
    """How the scheduler is doing, in one word."""

    RUNNING = "running"
    DEGRADED = "degraded"
    """A node is alive, and something is overdue or a node is silent."""

    STOPPED = "stopped"
    """No node is alive."""

    DISABLED = "disabled"
    """No node is alive, and none may be started here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    word: Word
    scheduling: Scheduling
    jobs_by_state: dict[str, int]
    totals: Tally
    last_execution_at: datetime | None
    nodes: tuple[NodeView, ...]
    queues: tuple[Waiting, ...]

    @property
    def total_jobs(self) -> int:
        return sum(self.jobs_by_state.values())

    @property
    def is_running(self) -> bool:
        return self.word in (Word.RUNNING, Word.DEGRADED)


def status() -> Status:
    """Look at jobs, nodes, queues and totals: six queries, however many jobs and runs there are."""
    now = measures.scheduling()
    counts = measures.jobs()
    return Status(
        word=_word(now),
        scheduling=now,
        jobs_by_state={state.value: counts.get(state.value, 0) for state in JobState},
        totals=metrics.totals(),
        last_execution_at=metrics.last_execution_at(now=now.now),
        nodes=tuple(measures.nodes()),
        queues=tuple(measures.waiting()),
    )


def _word(now: Scheduling) -> Word:
    if now.fresh_nodes:
        is_well = not now.overdue and now.fresh_nodes == now.nodes
        return Word.RUNNING if is_well else Word.DEGRADED
    return Word.STOPPED if conf.get().enabled else Word.DISABLED
