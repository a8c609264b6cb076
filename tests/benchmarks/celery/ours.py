"""This scheduler with bodies on Celery workers."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.celery.surroundings import (
    PUNCTUAL_JOBS,
    ask,
    lateness_at_a_full_minute,
    node,
    wait_until,
    wal_bytes_since,
    wal_position,
    worker,
)
from tests.benchmarks.contestants import work

QUEUE = "bench"
EXECUTOR = f"celery:{QUEUE}"
MESSAGES = 5_000
ROUNDS = 3
CANCELS = 30
_BODY_SECONDS = 0.5
"""For so long a body has run when it is cancelled. A child process that was ended is replaced meanwhile."""

NEVER = {"type": "date", "run_at": "2100-01-01T00:00:00Z"}
MILLION_INFLIGHT = 10_000
"""So many messages may wait: what stands in for the workers answers all of them from time to time."""

MILLION_SECONDS = 300.0
"""Longest time for them. ``rung`` says how many it sufficed for."""


def ringing(jobs: int) -> dict[str, Any]:
    """Send messages in turn, by each way, and return the median rates and their ratio."""
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
    found: dict[str, Any] = {name: round(statistics.median(several)) for name, several in rates.items()}
    for name in ("bell", "ringer"):
        found[f"{name}_beside_apply_async"] = round(found[name] / found["apply_async"], 2)
    return found


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
        ((rung,),) = ask("SELECT count(*) FROM scheduler_run WHERE rings = 1")
        assert rung == MESSAGES, f"{rung} of {MESSAGES} runs were rung."

    return send


def _add_waiting(count: int, *, executor: str) -> None:
    ask("TRUNCATE scheduler_run")
    ask(
        "INSERT INTO scheduler_run (job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt,"
        " state, reason, executor, priority, held, coalesced, requested_by, created_at, log, traceback)"
        " SELECT 'bench', 'bench', 'benchmarks.nothing', '[]', '{}', now() + n * interval '1 microsecond', now(),"
        " 'manual', 1, 'queued', '', %s, 0, false, 0, '', now(), '', '' FROM generate_series(1, %s) AS n",
        executor,
        count,
    )
    ask("ANALYZE scheduler_run")


def throughput(jobs: int) -> dict[str, Any]:
    """Run jobs on a worker, all of them due at once."""
    _set_up()
    with worker(queue=QUEUE):
        return _drained(jobs, executor=EXECUTOR)


def nodes_throughput(jobs: int) -> dict[str, Any]:
    """Run the same jobs in the threads of the node itself."""
    _set_up()
    return _drained(jobs, executor="default")


def _drained(jobs: int, *, executor: str) -> dict[str, Any]:
    """Let so many jobs be due at once, and count from the first claim to the last outcome."""
    from tests.benchmarks import scratch

    ask("CHECKPOINT")  # before the jobs are written: the images of their pages are no cost of a run
    scratch.add_jobs(task="benchmarks.nothing", count=jobs, executor=executor)
    before = wal_position()
    with node():
        wait_until(lambda: _count("state = 'succeeded'") >= jobs)
    wal = wal_bytes_since(before)
    ((size,),) = ask("SELECT pg_total_relation_size('scheduler_run')::float8")
    ((seconds,),) = ask("SELECT extract(epoch FROM max(finished_at) - min(created_at))::float8 FROM scheduler_run")
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
    with worker(queue=QUEUE), node():
        return lateness_at_a_full_minute()


def cancelling(jobs: int) -> dict[str, Any]:
    """Cancel bodies that run, one after the other: milliseconds from the request to the end, by the ledger."""
    _set_up()
    return {pool: _cancelled(pool) for pool in ("threads", "prefork")}


def _cancelled(pool: str) -> dict[str, Any]:
    from scheduler.models import Run
    from scheduler.services import jobs as service
    from scheduler.services import runs

    job = service.create(id=pool, task="benchmarks.listen", trigger=NEVER, executor=EXECUTOR)
    milliseconds, pause = [], threading.Event()
    with worker(queue=QUEUE, pool=pool), node():
        for _ in range(CANCELS):
            run = service.run_now(job=job)
            wait_until(Run.objects.filter(pk=run.pk, state="running").exists)
            pause.wait(_BODY_SECONDS)
            runs.cancel(run=run)
            wait_until(Run.objects.filter(pk=run.pk, state="cancelled").exists)
            run.refresh_from_db()
            assert run.finished_at is not None
            assert run.cancel_requested_at is not None
            milliseconds.append(1000 * (run.finished_at - run.cancel_requested_at).total_seconds())
    return work.percentiles(milliseconds, expected=CANCELS)


def million(jobs: int) -> dict[str, Any]:
    """Let a node plan and ring very many jobs that are due at once, and watch its memory. SQL stands in for workers."""
    _set_up()
    import psutil

    from scheduler.contrib.celery.bell import application
    from tests.benchmarks import scratch

    os.environ["SCHEDULER_MAX_INFLIGHT"] = f"{MILLION_INFLIGHT}"
    scratch.add_jobs(task="benchmarks.nothing", count=jobs, executor=EXECUTOR)
    ask("UPDATE django_apscheduler_djangojob SET next_run_time = now()")  # adding so many may take minutes
    megabytes, ended, pause, began = [], 0, threading.Event(), time.perf_counter()
    with node() as ringing, application().connection_for_write() as connection:
        watched = psutil.Process(ringing.pid)
        while ended < jobs and time.perf_counter() - began < MILLION_SECONDS:
            pause.wait(0.05)
            megabytes.append(round(watched.memory_info().rss / 2**20))
            ended += len(ask(_END_WHAT_WAS_RUNG))
            connection.default_channel.queue_purge(QUEUE)
    seconds = time.perf_counter() - began
    ((rings, more),) = ask("SELECT sum(rings), count(*) FILTER (WHERE rings > 1) FROM scheduler_run")
    return {
        "jobs": jobs,
        "max_inflight": MILLION_INFLIGHT,
        "rung": ended,
        "rings": int(rings),
        "rung_again": more,
        "seconds": round(seconds),
        "rings_per_second": round(ended / seconds),
        "node_mb": {"middle": megabytes[len(megabytes) // 2], "max": max(megabytes)},
    }


_END_WHAT_WAS_RUNG = """
UPDATE scheduler_run
   SET state = 'succeeded', started_at = now(), finished_at = now()
 WHERE rung_at IS NOT NULL AND node IS NULL AND finished_at IS NULL AND strpos(executor, ':') > 0
RETURNING 1
"""


def _count(where: str) -> int:
    return int(ask(f"SELECT count(*) FROM scheduler_run WHERE {where}")[0][0])  # noqa: S608 - our own words


def _set_up() -> None:
    import django

    django.setup()
