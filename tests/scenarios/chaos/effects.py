"""
What bodies really did: a file that every execution appends to, when it begins and when it ends.

One ``write`` with ``O_APPEND`` for a short line is whole or not there in the end, also when the process is killed.
Times are of the monotonic clock, which all processes of a machine share and nobody sets.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from scheduler import current_run
from tests.waiting import whole_lines

VARIABLE = "CHAOS_EFFECTS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One body that began."""

    run_id: int
    job: str
    attempt: int
    scheduled_at: str
    pid: int
    began: float
    ended: float | None


def note(event: str) -> None:
    """Append a line about the run that this is called in."""
    run = current_run()
    at = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    line = f"{event} {run.run_id} {run.job_id} {run.attempt} {run.scheduled_at.isoformat()} {os.getpid()} {at}\n"
    descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Execution]:
    """Return every execution in the order in which they began."""
    return _parse(path.read_text() if path.exists() else "")


def read_tail(path: Path, offset: int) -> list[Execution]:
    """Return what was written after so many bytes."""
    with path.open("rb") as file:
        file.seek(offset)
        return _parse(file.read().decode())


def _parse(text: str) -> list[Execution]:
    found: list[Execution] = []
    ends: dict[tuple[str, ...], list[float]] = {}
    begins = []
    for line in whole_lines(text):
        event, run_id, job, attempt, scheduled_at, pid, at = line.split(" ")
        if event == "begin":
            begins.append((run_id, job, attempt, scheduled_at, pid, int(at) / 1e9))
        else:
            ends.setdefault((run_id, pid), []).append(int(at) / 1e9)
    for run_id, job, attempt, scheduled_at, pid, began in begins:
        later = [end for end in ends.get((run_id, pid), ()) if end >= began]
        found.append(
            Execution(
                run_id=int(run_id),
                job=job,
                attempt=int(attempt),
                scheduled_at=scheduled_at,
                pid=int(pid),
                began=began,
                ended=min(later, default=None),
            )
        )
    return found
