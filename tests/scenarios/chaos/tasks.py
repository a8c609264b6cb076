"""What the jobs of a campaign do: leave a trace, take their time, or misbehave."""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta

from scheduler import current_run, task
from tests.scenarios.chaos import effects, enqueued

__all__ = ["enqueued"]


@task(name="chaos.work")
def work(seconds: float = 0.0) -> None:
    """Leave a trace when it begins and when it ends."""
    effects.note("begin")
    if seconds:
        threading.Event().wait(seconds)
    effects.note("end")


@task(name="chaos.work_idempotent", idempotent=True)
def work_idempotent(seconds: float = 0.0) -> None:
    """Do the same, and skip the start gate."""
    effects.note("begin")
    if seconds:
        threading.Event().wait(seconds)
    effects.note("end")


@task(name="chaos.kill_itself")
def kill_itself() -> None:
    """Die as a process does that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


@task(name="chaos.exit")
def leave() -> None:
    """End the interpreter."""
    raise SystemExit(3)


@task(name="chaos.hang", timeout=timedelta(seconds=2))
def hang() -> None:
    """Never look up."""
    threading.Event().wait(3600)


@task(name="chaos.flood")
def flood(megabytes: int) -> str:
    """Return far too much."""
    return "x" * (megabytes * 1024 * 1024)


@task(name="chaos.nonsense")
def nonsense() -> object:
    """Return what cannot be stored, and raise what cannot be printed."""

    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    raise Unprintable("\x00\ud800")


@task(name="chaos.fail")
def fail() -> None:
    """Fail as every job does whose host is gone."""
    raise ConnectionError("db-7.example.org does not answer")


@task(name="chaos.add")
def add(number: int) -> int:
    """Need a number."""
    effects.note("begin")
    effects.note("end")
    return number + 1


@task(name="chaos.fail_by_the_clock")
def fail_by_the_clock(period: int) -> None:
    """Fail in every second stretch of so many seconds."""
    effects.note("begin")
    number = int(current_run().scheduled_at.timestamp()) // period
    effects.note("end")
    if number % 2:
        raise RuntimeError(f"Stretch {number} is a bad one.")
