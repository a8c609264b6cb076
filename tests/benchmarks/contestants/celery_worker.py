"""Celery on Valkey or Redis: its beat sends what is due, a worker with threads runs it, results are rows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from tests.benchmarks.contestants.work import PATIENCE_SECONDS
from tests.postgres import free_port


def run(*, jobs: int, threads: int) -> dict[str, Any]:
    server = shutil.which("valkey-server") or shutil.which("redis-server")
    if server is None:
        raise FileNotFoundError("neither valkey-server nor redis-server is installed")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        broker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        os.environ["BENCHMARK_BROKER"] = f"redis://127.0.0.1:{port}/0"
        try:
            return _measure(jobs, threads)
        finally:
            broker.terminate()
            broker.wait()


def _measure(jobs: int, threads: int) -> dict[str, Any]:
    from tests.benchmarks.contestants import celery_app

    assert celery_app.app
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks
    from django_celery_results.models import TaskResult

    hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.bulk_create(
        PeriodicTask(name=f"bench-{number}", task="nothing", interval=hourly) for number in range(jobs)
    )
    PeriodicTask.objects.update(last_run_at="2020-01-01T00:00:00Z")
    PeriodicTasks.update_changed()
    worker = _start("worker", "--pool", "threads", "--concurrency", str(threads))
    beat = _start("beat", "--scheduler", "django_celery_beat.schedulers:DatabaseScheduler", "--schedule", os.devnull)
    pause, began = threading.Event(), time.perf_counter()
    while (count := TaskResult.objects.count()) < jobs and time.perf_counter() - began < PATIENCE_SECONDS:
        pause.wait(0.1)
    for process in (beat, worker):
        process.terminate()
        process.wait(60)
    first = TaskResult.objects.earliest("date_created").date_created
    last = TaskResult.objects.latest("date_done").date_done
    seconds = (last - first).total_seconds()
    return {"jobs": count, "seconds": round(seconds, 3), "runs_per_second": round(count / seconds, 1)}


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "tests.benchmarks.contestants.celery_app", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
