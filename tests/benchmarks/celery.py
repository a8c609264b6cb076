"""
Bodies on Celery workers beside plain Celery, on the same broker in the same run.

    python -m tests.benchmarks.celery [--broker valkey|rabbitmq] [--jobs 5000] [--json FILE]

* Ringing: messages a second of our doorbell, beside ``apply_async`` in a loop, and of a node that also stamps the runs.
* Throughput: so many no-op jobs due at once, until all outcomes are stored, and what each costs the database. Ours: a
  node, a worker with threads, the ledger; and the same in the threads of the node. Plain: Celery beat with
  django-celery-beat, a worker with threads, results in django-celery-results.
* Lateness: how long after a full minute the bodies of jobs begin that are due at it.
* Memory: what a node needs while 100,000 runs wait for a queue that nobody serves.

Each system has a database of its own on one server with its default settings (fsync on). ``requirements-bench.txt`` has
what is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.contestants import work
from tests.brokers import KINDS
from tests.postgres import Cluster

CHECKOUT = Path(__file__).resolve().parents[2]
EXECUTOR = "celery:bench"
MESSAGES = 5_000
ROUNDS = 3
THREADS = 5
PUNCTUAL_JOBS = 500
WAITING_RUNS = 100_000
PATIENCE_SECONDS = 300.0
_START_SECONDS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=sorted(KINDS), default="valkey")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--only", choices=sorted(PARTS), help="this part alone, with the figures of this process")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(PARTS[options.only](options.jobs)))
        return
    with Cluster(settings={"max_connections": 100}) as cluster, KINDS[options.broker]() as broker:
        figures = {name: _part(cluster, broker.url, name, jobs=options.jobs) for name in PARTS}
    figures["ringing"]["ratio"] = round(figures["ringing"]["bell"] / figures["ringing"]["apply_async"], 2)
    facts = {
        "command": f"python -m tests.benchmarks.celery --broker {options.broker} --jobs {options.jobs}",
        "broker": options.broker,
        **figures,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
    }
    print(table(facts))
    print(json.dumps(facts, indent=2))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


def _part(cluster: Cluster, broker_url: str, name: str, *, jobs: int) -> dict[str, Any]:
    """Measure one part in a process and a database of its own."""
    print(f"{name} …", file=sys.stderr, flush=True)
    database = name.replace("-", "_")
    cluster.psql(f"CREATE DATABASE {database}")
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "DJANGO_", "SCHEDULER_"))
    }
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            "DATABASE_URL": cluster.url(database),
            "SECRET_KEY": "only for a benchmark",
            "LOG_LEVEL": "ERROR",
            "BENCHMARK_BROKER": broker_url,
            "BENCHMARK_NOTES": f"{folder}/notes",
            "CELERY_BROKER_URL": broker_url,
        }
        if not name.startswith("plain"):
            variables["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.celery_settings"
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.celery", "--only", name, "--jobs", str(jobs)],
            cwd=CHECKOUT,
            env={**kept, **variables},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    cluster.psql(f"DROP DATABASE {database} WITH (FORCE)")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(facts: dict[str, Any]) -> str:
    """Return what docs/scaling.md shows: Markdown."""
    ours, plain = facts["ours-throughput"], facts["plain-throughput"]
    late, plain_late = facts["ours-lateness"], facts["plain-lateness"]
    ringing = facts["ringing"]
    return "\n".join(
        [
            f"| {facts['broker']} | bodies on Celery workers | Celery beat, worker, results |",
            "|---|---:|---:|",
            f"| messages/s from one process | {ringing['bell']:,.0f} | {ringing['apply_async']:,.0f} (`apply_async`) |",
            f"| the same, with the stamp in the ledger | {ringing['ringer']:,.0f} | – |",
            f"| runs/s, {ours['jobs']:,} due at once "
            f"| {ours['runs_per_second']:,.0f} | {plain['runs_per_second']:,.0f} |",
            f"| ms late, {late['expected']:,} due at a full minute, p50 "
            f"| {late['p50']:,.0f} | {plain_late['p50']:,.0f} |",
            f"| p99 | {late['p99']:,.0f} | {plain_late['p99']:,.0f} |",
            f"| node while {facts['memory']['waiting']:,} runs wait, MB | {facts['memory']['node_mb']:,} | – |",
            "| recorded | fire time, start, end, state, result, error, log, progress, attempts, worker "
            "| state, result, traceback, worker, end |",
        ]
    )


def ringing(jobs: int) -> dict[str, Any]:
    """Send messages in turn, by each way, and return the median rates."""
    _set_up()
    from scheduler.contrib.celery.bell import CeleryBell, application
    from scheduler.remote.executors import Ring

    app = application()
    plain = app.task(name="bench.plain", ignore_result=True, typing=False)(work.nothing)
    rings = [Ring(run=number, attempt=1, ring=1) for number in range(1, MESSAGES + 1)]
    bell = CeleryBell("bench-bell")

    def loop() -> None:
        for ring in rings:
            plain.apply_async(kwargs=ring._asdict(), queue="bench-plain")

    def batches() -> None:
        for first in range(0, MESSAGES, 500):
            bell.ring(rings[first : first + 500])

    rates: dict[str, list[float]] = {"apply_async": [], "bell": [], "ringer": []}
    for _ in range(ROUNDS):
        rates["apply_async"].append(_rate(loop))
        rates["bell"].append(_rate(batches))
        rates["ringer"].append(_rate(_ringer()))
    return {name: round(statistics.median(several)) for name, several in rates.items()}


def _rate(send: Callable[[], None]) -> float:
    began = time.perf_counter()
    send()
    return MESSAGES / (time.perf_counter() - began)


def _ringer() -> Callable[[], None]:
    """Return what stamps and sends so many runs that wait, as the thread of a node does."""
    import dataclasses

    from scheduler import conf
    from scheduler.remote.ringing import Ringer

    _add_waiting(MESSAGES, executor="celery:bench-ringer")
    ringer = Ringer(broker="celery", settings=dataclasses.replace(conf.get(), max_inflight=2 * MESSAGES))

    def send() -> None:
        while ringer.turn() == 0.0:
            pass

    return send


def throughput(jobs: int) -> dict[str, Any]:
    """Run jobs on a worker, all of them due at once."""
    _set_up()
    with _worker():
        return _drained(jobs, executor=EXECUTOR)


def nodes_throughput(jobs: int) -> dict[str, Any]:
    """Run the same jobs in the threads of the node itself."""
    _set_up()
    return _drained(jobs, executor="default")


def _drained(jobs: int, *, executor: str) -> dict[str, Any]:
    """Let so many jobs be due at once, and count from the first claim to the last outcome."""
    from tests.benchmarks import scratch

    scratch.add_jobs(task="benchmarks.nothing", count=jobs, executor=executor)
    _ask("CHECKPOINT")
    ((before,),) = _ask("SELECT pg_current_wal_lsn()::text")
    with _node():
        _wait_until(lambda: _count("WHERE state = 'succeeded'") >= jobs)
    ((wal,),) = _ask(f"SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '{before}')::float8")
    ((size,),) = _ask("SELECT pg_total_relation_size('scheduler_run')::float8")
    ((seconds,),) = _ask("SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8 FROM scheduler_run")
    return {
        "jobs": jobs,
        "seconds": round(seconds, 3),
        "runs_per_second": round(jobs / seconds, 1),
        "wal_bytes_per_run": round(wal / jobs),
        "disk_bytes_per_run": round(size / jobs),
    }


def lateness(jobs: int) -> dict[str, Any]:
    """Let jobs be due at a full minute."""
    _set_up()
    from scheduler.services import jobs as service

    trigger = {"type": "cron", "expression": "* * * * *", "timezone": "UTC"}
    for number in range(PUNCTUAL_JOBS):
        service.create(id=f"punctual-{number}", task="benchmarks.note", trigger=trigger, executor=EXECUTOR)
    with _worker(), _node():
        return _late()


def memory(jobs: int) -> dict[str, Any]:
    """Let very many runs wait for a queue that no worker serves, and return the memory of a node that rings them."""
    _set_up()
    import psutil

    _add_waiting(WAITING_RUNS, executor="celery:bench-nobody")
    with _node() as node:
        _wait_until(lambda: _count("WHERE rung_at IS NOT NULL") > 0)
        threading.Event().wait(10)
        rung = _count("WHERE rung_at IS NOT NULL")
        return {
            "waiting": WAITING_RUNS,
            "rung": rung,
            "node_mb": round(psutil.Process(node.pid).memory_info().rss / 2**20),
        }


def plain_throughput(jobs: int) -> dict[str, Any]:
    from tests.benchmarks.contestants import celery_worker

    return celery_worker.run(jobs=jobs, threads=THREADS)


def plain_lateness(jobs: int) -> dict[str, Any]:
    from tests.benchmarks.contestants import celery_app, celery_worker

    assert celery_app.app
    from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks

    every_minute, _ = CrontabSchedule.objects.get_or_create(minute="*", hour="*")
    PeriodicTask.objects.bulk_create(
        PeriodicTask(name=f"punctual-{number}", task="note", crontab=every_minute) for number in range(PUNCTUAL_JOBS)
    )
    PeriodicTasks.update_changed()
    worker = celery_worker.start("worker", "--pool", "threads", "--concurrency", str(THREADS))
    beat = celery_worker.start(*celery_worker.BEAT)
    try:
        return _late()
    finally:
        for process in (beat, worker):
            process.terminate()
            process.wait(60)


def _late() -> dict[str, Any]:
    """Return how late the bodies of a full minute began. All parts have half a minute to start before it."""
    notes = Path(os.environ["BENCHMARK_NOTES"])
    minute = 60 * (int(time.time() + _START_SECONDS) // 60 + 1)

    def begun() -> list[float]:
        times = map(float, notes.read_text().splitlines()) if notes.exists() else ()
        return [at - minute for at in times if minute <= at < minute + 55]

    _wait_until(lambda: len(begun()) >= PUNCTUAL_JOBS or time.time() > minute + 50)
    return work.percentiles([1000 * seconds for seconds in begun()], expected=PUNCTUAL_JOBS)


def _set_up() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _add_waiting(count: int, *, executor: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE scheduler_run")
        cursor.execute(
            "INSERT INTO scheduler_run (job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt,"
            " state, reason, executor, priority, held, coalesced, requested_by, created_at, log, traceback)"
            " SELECT 'bench', 'bench', 'benchmarks.nothing', '[]', '{}', now() + n * interval '1 microsecond', now(),"
            " 'manual', 1, 'queued', '', %s, 0, false, 0, '', now(), '', '' FROM generate_series(1, %s) AS n",
            [executor, count],
        )
        cursor.execute("ANALYZE scheduler_run")


def _count(where: str) -> int:
    return int(_ask(f"SELECT count(*) FROM scheduler_run {where}")[0][0])  # noqa: S608 - our own words


def _ask(sql: str) -> list[tuple[Any, ...]]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def _wait_until(condition: Callable[[], bool]) -> None:
    pause, deadline = threading.Event(), time.perf_counter() + PATIENCE_SECONDS
    while not condition():
        if time.perf_counter() > deadline:
            raise TimeoutError("It takes too long.")
        pause.wait(0.1)


@contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, *command], cwd=CHECKOUT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _node() -> Iterator[subprocess.Popen[bytes]]:
    with _process("manage.py", "runscheduler", "--processes", "0") as node:
        yield node


@contextmanager
def _worker() -> Iterator[None]:
    """Start a worker and wait until its row is there, so that only runs are measured."""
    from scheduler.models import Node

    options = ("--pool", "threads", "--concurrency", str(THREADS), "--prefetch-multiplier", "100")
    with _process("-m", "celery", "-A", "openlearn", "worker", "-Q", "bench", *options):
        _wait_until(Node.objects.filter(kind="celery").exists)
        yield


PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "ringing": ringing,
    "ours-throughput": throughput,
    "nodes-throughput": nodes_throughput,
    "plain-throughput": plain_throughput,
    "ours-lateness": lateness,
    "plain-lateness": plain_lateness,
    "memory": memory,
}


if __name__ == "__main__":
    main()
