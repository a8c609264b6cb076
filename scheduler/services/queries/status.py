"""Status: how the scheduler is doing, in one look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scheduler import conf
from scheduler.core.health.standing import NodeView, Scheduling, Waiting
from scheduler.core.states import JobState
from scheduler.services.queries import health, metrics
from scheduler.services.queries.health import Report
from scheduler.services.queries.metrics import Tally


class Word(StrEnum):
    """The condition of the scheduler in one word."""

    RUNNING = "running"
    DEGRADED = "degraded"
    """A node is alive, and a check of the health warns or fails."""

    STOPPED = "stopped"
    """No node is alive."""

    DISABLED = "disabled"
    """No node is alive, and none may be started here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    word: Word
    report: Report
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
    """Look at health, jobs, nodes, queues and totals, in a fixed number of queries."""
    report = health.judged()
    standing = report.standing
    assert standing is not None  # noqa: S101 - what was judged was measured
    return Status(
        word=_word(report, standing.scheduling),
        report=report,
        scheduling=standing.scheduling,
        jobs_by_state={state.value: 0 for state in JobState} | standing.jobs,
        totals=metrics.totals(),
        last_execution_at=metrics.last_execution_at(now=standing.scheduling.now),
        nodes=tuple(standing.nodes),
        queues=tuple(standing.queues),
    )


def _word(report: Report, now: Scheduling) -> Word:
    if now.fresh_nodes:
        return Word.DEGRADED if report.problems else Word.RUNNING
    return Word.STOPPED if conf.get().enabled else Word.DISABLED
