"""The processes and the database around what is measured."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants import work

CHECKOUT = Path(__file__).resolve().parents[3]
THREADS = 5
PUNCTUAL_JOBS = 500
PATIENCE_SECONDS = 300.0
_START_SECONDS = 20.0


def ask(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return list(cursor.fetchall()) if cursor.description else []


def wal_position() -> str:
    ((position,),) = ask("SELECT pg_current_wal_lsn()::text")
    return str(position)


def wal_bytes_since(position: str) -> float:
    ((size,),) = ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)::float8", position)
    return float(size)


def wait_until(condition: Callable[[], bool]) -> None:
    pause, deadline = threading.Event(), time.perf_counter() + PATIENCE_SECONDS
    while not condition():
        if time.perf_counter() > deadline:
            raise TimeoutError(f"It takes more than {PATIENCE_SECONDS:g} s.")
        pause.wait(0.1)


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, *command], cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(60)


@contextmanager
def node(*, processes: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    with process("manage.py", "runscheduler", "--processes", str(processes)) as started:
        yield started


@contextmanager
def worker(*, queue: str, pool: str = "threads") -> Iterator[None]:
    """Start a worker of the scheduler and wait until its row is there, so that only runs are measured."""
    from scheduler.models import Node

    options = ("--pool", pool, "--concurrency", str(THREADS), "--prefetch-multiplier", "100")
    with process("-m", "celery", "-A", "openlearn", "worker", "-Q", queue, *options):
        wait_until(Node.objects.filter(kind="celery", state="running").exists)
        yield


def lateness_at_a_full_minute() -> dict[str, Any]:
    """Return how many milliseconds late the bodies of a full minute began. Processes have time to start before it."""
    notes = Path(os.environ["BENCHMARK_NOTES"])
    minute = 60 * (int(time.time() + _START_SECONDS) // 60 + 1)

    def begun() -> list[float]:
        times = map(float, notes.read_text().splitlines()) if notes.exists() else ()
        return [at - minute for at in times if minute <= at < minute + 55]

    wait_until(lambda: len(begun()) >= PUNCTUAL_JOBS or time.time() > minute + 50)
    return work.percentiles([1000 * seconds for seconds in begun()], expected=PUNCTUAL_JOBS)
