"""Claiming due jobs: one transaction that plans their fire times and writes them into the ledger."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

from scheduler import failpoints
from scheduler.core import reasons, triggers, zone_rules
from scheduler.core.planning import Active, FirePlan, PlannedRun, Planner
from scheduler.core.queues import tracks
from scheduler.core.states import RunState
from scheduler.errors import DatabaseUnavailable, InvalidTrigger
from scheduler.messages import Message
from scheduler.store.accounting import entering
from scheduler.store.accounting.entering import Entry
from scheduler.store.claiming.claimed import NOTHING, Claim, DueJob
from scheduler.store.claiming.positions import Positions, count_active
from scheduler.store.jobs import definitions
from scheduler.store.recording import rollups
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Connection, concerns_rows, instants, reason_columns, texts
from scheduler.store.sessions.halving import QUICK_SECONDS, in_halves
from scheduler.store.sessions.transaction import Transaction
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.1
"""The longest time that one transaction plans. Edits of its jobs wait as long."""

SLICE_ROWS = 500
"""Rows after which one transaction plans no further job: what jobs that were down for long catch up with."""


def claim_due(
    connection: Connection,
    *,
    node: str,
    tasks: Collection[str],
    limit: int,
    room: Mapping[str, int],
    catch_up_limit: int,
    positions: Positions | None = None,
    recent_seconds: float | None = None,
    only: Sequence[str] | None = None,
    now: datetime | None = None,
) -> Claim:
    """
    Plan the oldest due jobs and write their fire times into the ledger, in one transaction.

    Jobs that depend on a time zone are left to a node that computes by newer rules, if one is alive and knows the task.

    ``room`` is the number of runs that this node may own for each executor. Further runs wait for any node. Fire times
    that exist in the ledger already are left alone. ``positions`` skip index entries of the past. With
    ``recent_seconds`` only jobs that became due within that time are planned, with ``only`` only those.

    :raises DatabaseUnavailable: the transaction was rolled back or, if the answer to COMMIT was lost, committed. The
        rows that this node owns show which
    """
    positions = positions or Positions(whole_seconds=0.0)
    due: dict[str, Any] = {"now": now, "tasks": list(tasks), "limit": limit, "since": positions.due_from}
    due |= {"passed_by": texts(positions.passed_by()), "tzdata": zone_rules.rank(), "recent": recent_seconds}
    claiming = _Claiming(
        connection=connection, due=due, node=node, room=room, catch_up_limit=catch_up_limit, positions=positions
    )
    try:
        return claiming.claim(only)
    except Exception as error:  # whatever one job makes it raise, the others are claimed
        if not concerns_rows(error):
            raise
        logger.warning(events.CLAIM_DIVIDED, extra={"error": str(error)[:500]})
    return claiming.claim_in_halves()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claiming:
    """A claim with its bounds: of all due jobs, or of some if one of them makes the whole fail."""

    connection: Connection
    due: Mapping[str, Any]
    """The parameters that find due jobs."""

    node: str
    room: Mapping[str, int]
    catch_up_limit: int
    positions: Positions

    def claim(self, only: Sequence[str] | None) -> Claim:
        with self.connection.transaction(lock_seconds=QUICK_SECONDS) as transaction:
            rows = transaction.execute("claim_due_jobs", **self.due, only=None if only is None else list(only))
            if not rows:
                return NOTHING
            claimed, first_active = self._write(transaction, list(map(DueJob._make, rows)))
            failpoints.hit("claim.before_commit")
        failpoints.hit("claim.after_commit")
        self.positions.note_active(first_active)
        return claimed

    def claim_in_halves(self) -> Claim:
        jobs = [job_id for (job_id,) in self.connection.execute("find_due_jobs", **self.due)]
        claimed = in_halves(
            jobs,
            self.claim,
            lambda job, error: definitions.set_apart(self.connection, job=job, error=error),
            pass_by=self.positions.pass_by,
        )
        return reduce(Claim.plus, claimed, NOTHING)

    def _write(self, transaction: Transaction, jobs: list[DueJob]) -> tuple[Claim, dict[str, int]]:
        """Plan locked jobs and write the plans. Return the claim, and the least number of an active run of each job."""
        now: datetime | None = self.due["now"]
        ids = [job.id for job in jobs]
        active, counted = count_active(transaction, jobs=ids, since=self.positions.first_active(ids))
        plans, broken = _plan_all(jobs, active, self.catch_up_limit)
        planned = _planned(transaction, plans)
        delays = _delays(planned)
        owned = _choose(planned, delays, self.room)
        written = entering.write(
            transaction,
            jobs=[job.id for job, _ in planned],
            rows=[row for _, row in planned],
            node=self.node,
            delays=delays,
            owned=owned,
            now=now,
        )
        _move(transaction, plans=plans, broken=broken, now=now)
        self.positions.note_moved((job.id, job.due_at, fire_plan.next_fire_time) for job, fire_plan in plans)
        born_finished = [
            written[place].id
            for place, (_, row) in enumerate(planned)
            if row.state is not RunState.QUEUED and place in written
        ]
        rollups.roll_up(transaction, runs=born_finished, node=self.node)
        claimed = _claim(
            jobs,
            left=len(jobs) - len(plans) - len(broken),
            planned=planned,
            owned=owned,
            written=written,
            broken=broken,
        )
        return claimed, _first_active(counted, planned, written)


def _first_active(
    counted: Mapping[str, int], planned: list[tuple[DueJob, PlannedRun]], written: Mapping[int, OwnedRun]
) -> dict[str, int]:
    """Return the least number of an active run of each job that was claimed, those that were just written included."""
    first: dict[str, int] = {}
    for place, run in written.items():
        job, row = planned[place]
        if row.state is RunState.QUEUED and (job.id not in first or run.id < first[job.id]):
            first[job.id] = run.id
    return {**first, **counted}


def _plan_all(
    jobs: list[DueJob], active: Mapping[str, Active], catch_up_limit: int
) -> tuple[list[tuple[DueJob, FirePlan]], list[tuple[str, Message]]]:
    """Plan as many of the jobs as a slice of time and of rows allows, in their order, and at least one."""
    plans: list[tuple[DueJob, FirePlan]] = []
    broken: list[tuple[str, Message]] = []
    planner = Planner(active, catch_up_limit)
    until = time.monotonic() + SLICE_SECONDS
    rows = 0
    for job in jobs:
        if (plans or broken) and (rows >= SLICE_ROWS or time.monotonic() > until):
            break  # the others are still due: the next claim takes them
        try:
            fire_plan = planner.plan(job)
        except InvalidTrigger as error:
            broken.append((job.id, reasons.TRIGGER_UNUSABLE(problem=reasons.of_error(error))))
        except DatabaseUnavailable:  # a calendar could not be read: that is no fault of the job
            raise
        except Exception as error:
            logger.exception(events.JOB_CANNOT_BE_PLANNED, extra={"job": job.id})
            broken.append((job.id, reasons.TRIGGER_UNCOMPUTABLE(type=type(error).__name__, error=f"{error}")))
        else:
            plans.append((job, fire_plan))
            rows += len(fire_plan.rows)
    return plans, broken


def _planned(transaction: Transaction, plans: list[tuple[DueJob, FirePlan]]) -> list[tuple[DueJob, PlannedRun]]:
    """Return the rows to be written: of most jobs one for one fire time, which a row that it has already refuses."""
    planned = [(job, row) for job, fire_plan in plans for row in fire_plan.rows]
    if len(planned) == len(plans) and not any(row.covers_from or row.folded_into for _, row in planned):
        return planned
    due = {job.id: job for job, _ in plans}
    entries = entering.reconcile(transaction, [Entry(job.id, row) for job, row in planned])
    return [(due[job], row) for job, row in entries]


def _choose(planned: list[tuple[DueJob, PlannedRun]], delays: list[float], room: Mapping[str, int]) -> list[bool]:
    """
    Choose the rows that this node owns: as far as it has room, highest priority first, then the oldest.

    Runs that jitter delays stay without an owner until they are due.
    """
    owned = [False] * len(planned)
    left = dict(room)
    order = range(len(planned))
    if any(job.priority for job, _ in planned):
        order = sorted(order, key=lambda place: -planned[place][0].priority)  # type: ignore[assignment]
    for place in order:
        job, row = planned[place]
        if row.state is RunState.QUEUED and not row.held and not delays[place] and left.get(job.executor, 0) > 0:
            left[job.executor] -= 1
            owned[place] = True
    return owned


def _delays(planned: list[tuple[DueJob, PlannedRun]]) -> list[float]:
    """Choose the delay of each run, in seconds, where its trigger has jitter: its fire time stays where it is."""
    jitters = {text: triggers.parse_cached(text).jitter_seconds for text in {job.trigger for job, _ in planned}}
    if not any(jitters.values()):
        return [0.0] * len(planned)
    return [random.uniform(0, jitters[job.trigger] or 0.0) for job, _ in planned]  # noqa: S311 - it keeps no secret


def _move(
    transaction: Transaction,
    *,
    plans: list[tuple[DueJob, FirePlan]],
    broken: list[tuple[str, Message]],
    now: datetime | None,
) -> None:
    if plans:
        moved = transaction.execute(
            "move_next_run_times",
            jobs=texts([job.id for job, _ in plans]),
            places=texts([job.place for job, _ in plans]),
            next_run_times=instants([fire_plan.next_fire_time for _, fire_plan in plans]),
        )
        assert len(moved) == len(plans)  # noqa: S101 - the rows are locked, so that they stay where they were found
    ended = [job.id for job, fire_plan in plans if fire_plan.next_fire_time is None]
    if ended:
        transaction.execute("finish_jobs", jobs=texts(ended), now=now)
    if broken:
        transaction.execute(
            "break_jobs",
            jobs=texts([job_id for job_id, _ in broken]),
            **reason_columns([reason for _, reason in broken]),
            now=now,
        )


def _claim(
    jobs: Sequence[DueJob],
    *,
    left: int,
    planned: list[tuple[DueJob, PlannedRun]],
    owned: list[bool],
    written: dict[int, OwnedRun],
    broken: list[tuple[str, Message]],
) -> Claim:
    mine, waiting, remote, born_finished = [], 0, set(), []
    for place, (job, row) in enumerate(planned):
        run = written.get(place)
        if run is None:
            continue  # the fire time was in the ledger already
        if row.state is not RunState.QUEUED:
            born_finished.append((job, row))
        elif owned[place]:
            mine.append((job.priority, run))
        elif tracks.is_remote(job.executor):
            remote.add(job.executor)
        else:
            waiting += 1
    mine.sort(key=lambda pair: -pair[0])
    return Claim(
        jobs=len(jobs) - left,
        left=left,
        owned=tuple(run for _, run in mine),
        waiting=waiting,
        remote=frozenset(remote),
        born_finished=tuple(born_finished),
        next_seconds=jobs[0].next_seconds,
        broken=tuple(broken),
    )
