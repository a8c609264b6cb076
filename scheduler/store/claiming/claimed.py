"""A due job as it is read, and the outcome of a claim."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from scheduler.core.planning import PlannedRun
from scheduler.messages import Message
from scheduler.store.recording.runs import OwnedRun


class DueJob(NamedTuple):
    """A due job, locked by the transaction that read it. Its fields are the columns of ``claim_due_jobs``."""

    id: str
    due_at: datetime
    now: datetime
    trigger: str
    coalesce: bool
    max_instances: int
    misfire_grace_time: int | None
    executor: str
    """The track of its runs: those of another queue than the default one wait for whoever serves it."""

    priority: int
    overlap: str
    place: str
    next_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The rows that one claim wrote, and the jobs that it found broken."""

    jobs: int
    """Number of due jobs that were planned."""

    left: int
    """Number of due jobs that were locked and left to the next claim: these took too long or had too many rows."""

    owned: tuple[OwnedRun, ...]
    """Queued runs of this node, to be started: highest priority first, then the oldest."""

    waiting: int
    """Queued runs without a node: any node may take them."""

    remote: frozenset[str]
    """The tracks of queued runs of remote executors."""

    born_finished: tuple[tuple[DueJob, PlannedRun], ...]
    """Missed and skipped fire times."""

    next_seconds: float | None
    """Seconds from the start of the claim until the next job of any node is due. ``None``: no job is scheduled."""

    broken: tuple[tuple[str, Message], ...]
    """Jobs whose trigger cannot be used, each with the reason."""

    def plus(self, other: Claim) -> Claim:
        """Return both as one. When the next job is due is unknown then."""
        return Claim(
            jobs=self.jobs + other.jobs,
            left=self.left + other.left,
            owned=self.owned + other.owned,
            waiting=self.waiting + other.waiting,
            remote=self.remote | other.remote,
            born_finished=self.born_finished + other.born_finished,
            next_seconds=None,
            broken=self.broken + other.broken,
        )


NOTHING = Claim(jobs=0, left=0, owned=(), waiting=0, remote=frozenset(), born_finished=(), next_seconds=None, broken=())
