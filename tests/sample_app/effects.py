"""
What bodies really did, apart from all ledgers: a file to which each execution appends when it begins and when it ends.

One ``write`` with ``O_APPEND`` for a short line is whole or not there in the end, also when the process is killed.
Who reads meanwhile may see its beginning alone, when it crosses a page of the file.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduler import current_run
from tests.waiting import whole_lines

VARIABLE = "SAMPLE_EFFECTS"
"""Environment variable with the path of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One body that began."""

    run_id: int
    job: str
    attempt: int
    scheduled_at: datetime
    pid: int
    ended: bool


def note(event: str) -> None:
    """Append a line about the run that this is called in."""
    run = current_run()
    line = json.dumps(
        [event, run.run_id, run.job_id, run.attempt, run.scheduled_at.isoformat(), os.getpid(), time.time()]
    )
    descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Execution]:
    """Return every execution in the order in which they began."""
    lines = [json.loads(line) for line in whole_lines(path.read_text())] if path.exists() else []
    ended = {(run_id, attempt, pid) for event, run_id, _, attempt, _, pid, _ in lines if event == "end"}
    return [
        Execution(
            run_id=run_id,
            job=job,
            attempt=attempt,
            scheduled_at=datetime.fromisoformat(scheduled_at),
            pid=pid,
            ended=(run_id, attempt, pid) in ended,
        )
        for event, run_id, job, attempt, scheduled_at, pid, _ in lines
        if event == "begin"
    ]
