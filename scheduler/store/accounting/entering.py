"""
Planned fire times become rows of the ledger, whoever plans them: a claim, or somebody who changes a job.

Each fire time is covered by one first attempt. ``UNIQUE (job, scheduled_at, attempt)`` refuses a second row for the
same instant. A range covers more than one, so what the ledger has within it is looked up first, under the lock of the
job that all writers hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from scheduler.core.planning import PlannedRun
from scheduler.core.states import RunState
from scheduler.store.recording.runs import OwnedRun
from scheduler.store.sessions.connections import Row, array, instants, reason_columns, texts

_MOST_COALESCED = 2**31 - 1
"""The largest value of the column: 68 years of seconds."""


class Statements(Protocol):
    """An open transaction: a node's, or Django's."""

    def execute(self, statement: str, **parameters: Any) -> list[Row]: ...


class Entry(NamedTuple):
    """A row that is to be written."""

    job: str
    row: PlannedRun


def reconcile(transaction: Statements, entries: Sequence[Entry]) -> list[Entry]:
    """
    Return the rows that are to be written, after those that wait for their turn took in what is folded into them.

    Fire times that the ledger covers already are left out. A range with a hole is reduced to its newest fire time, and
    the rest of it is owed: a node enters what is missing.
    """
    covered = _covered(transaction, entries)
    folded = _fold(transaction, [entry for place, entry in enumerate(entries) if place not in covered])
    left: list[Entry] = []
    holes: list[Entry] = []
    for place, (job, row) in enumerate(entries):
        if row.folded_into is not None:
            if row.folded_into in folded and place not in covered:
                continue
            # It gets a row, and waits for its turn as that run did.
            row = row._replace(folded_into=None, held=True)
        if place in covered and row.covers_from is not None:
            holes.append(Entry(job, row))
            row = row._replace(covers_from=None, coalesced=0)
        if not covered.get(place):
            left.append(Entry(job, row))
    _owe(transaction, holes)
    return left


def write(
    transaction: Statements,
    *,
    jobs: Sequence[str],
    rows: Sequence[PlannedRun],
    node: str | None = None,
    delays: Sequence[float] | None = None,
    owned: Sequence[bool] | None = None,
    now: datetime | None = None,
) -> dict[int, OwnedRun]:
    """
    Insert rows of these jobs and return those that were written, by place from 0. It leaves out what the ledger had.

    ``delays``: seconds until each may start. ``owned``: which of them are the node's own.
    """
    if not rows:
        return {}
    inserted = transaction.execute(
        "record_plans",
        node=node,
        now=now,
        jobs=texts(jobs),
        scheduled_at=instants([row.scheduled_at for row in rows]),
        delays=array(delays) if delays and any(delays) else None,
        owned=array(owned) if owned else None,
        **(_PLAIN if all(map(_is_plain, rows)) else _details(rows)),
    )
    return {
        place - 1: OwnedRun(
            id, jobs[place - 1], name, task, args, kwargs, rows[place - 1].scheduled_at, 1, executor, timeout
        )
        for place, id, name, task, args, kwargs, executor, timeout in inserted
    }


_PLAIN: dict[str, str | None] = dict.fromkeys(
    ("covers_from", "coalesced", "states", "reason_codes", "reason_params", "held")
)


def _is_plain(row: PlannedRun) -> bool:
    """Return whether it is a queued run for one fire time, as most are: then no array says so for each."""
    return row.state is RunState.QUEUED and row.covers_from is None and not row.coalesced and not row.held


def _details(rows: Sequence[PlannedRun]) -> dict[str, str | None]:
    return {
        "covers_from": instants([row.covers_from for row in rows]),
        "coalesced": array([min(row.coalesced, _MOST_COALESCED) for row in rows]),
        "states": array([row.state.value for row in rows]),
        "held": array([row.held for row in rows]),
        **reason_columns([row.reason for row in rows]),
    }


def _covered(transaction: Statements, entries: Sequence[Entry]) -> Mapping[int, bool]:
    """Return the places of rows of which the ledger covers any fire time, and whether it covers the newest."""
    found = transaction.execute(
        "find_covered",
        jobs=texts([entry.job for entry in entries]),
        firsts=instants([entry.row.covers_from or entry.row.scheduled_at for entry in entries]),
        lasts=instants([entry.row.scheduled_at for entry in entries]),
    )
    return {place - 1: newest for place, newest in found}


def _fold(transaction: Statements, entries: Sequence[Entry]) -> set[int]:
    """Return the runs that stand for more fire times now; one that was cancelled meanwhile is not among them."""
    rows = [(entry.row.folded_into, entry.row) for entry in entries if entry.row.folded_into is not None]
    if not rows:
        return set()
    found = transaction.execute(
        "fold_into_held_run",
        runs=array([run for run, _ in rows]),
        scheduled_at=instants([row.scheduled_at for _, row in rows]),
        counts=array([min(row.coalesced + 1, _MOST_COALESCED) for _, row in rows]),
    )
    return {run_id for (run_id,) in found}


def _owe(transaction: Statements, holes: Sequence[Entry]) -> None:
    if holes:
        transaction.execute(
            "owe",
            jobs=texts([entry.job for entry in holes]),
            firsts=instants([entry.row.covers_from for entry in holes]),
            untils=instants([entry.row.scheduled_at for entry in holes]),
        )
