"""Measure one contestant on ``DATABASE_URL`` and print its figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant

CONTESTANTS = {
    "plain_insert": ("plain_insert", "PlainInsert"),
    "ours": ("ours", "Ours"),
    "django_tasks_db": ("django_tasks_db", "DjangoTasksDb"),
    "dj_queue": ("dj_queue", "DjQueue"),
    "procrastinate": ("procrastinate_app", "Procrastinate"),
    "pgqueuer": ("pgqueuer_app", "PgQueuerContestant"),
    "chancy": ("chancy_app", "ChancyContestant"),
    "huey": ("huey_app", "HueyContestant"),
    "celery": ("celery_app", "CeleryContestant"),
}

THREADS = 8
_LATENCY_RATE = 50
_PATIENCE_SECONDS = 60.0
_WARM_UP = 50
_TOGETHER = 20
"""Runs that are enqueued one by one with one commit, as by a request that saves something as well."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("--count", type=int, default=2000, help="enqueued one by one, and from threads")
    parser.add_argument("--bulk", type=int, default=20_000)
    parser.add_argument("--bodies", type=int, default=5000, help="run from an idle start")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--latency-seconds", type=float, default=5.0)
    parser.add_argument("--history", type=int, default=0, help="finished rows beside which it is measured again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[body.VARIABLE] = str(Path(folder) / "begun")
        body.forget()
        try:
            print(json.dumps(measure(options)))
        except (ImportError, FileNotFoundError) as missing:
            print(json.dumps({"skipped": f"It cannot be run here: {missing}."}))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    module, name = CONTESTANTS[options.name]
    contestant: Contestant = getattr(importlib.import_module(f"tests.benchmarks.enqueueing.{module}"), name)(
        workers=options.workers
    )
    contestant.prepare()
    one_by_one(contestant, _WARM_UP)
    figures: dict[str, Any] = {
        "single_per_second": per_second(options.count, lambda: one_by_one(contestant, options.count)),
        "threads_per_second": per_second(options.count, lambda: from_threads(contestant, options.count)),
        "together_per_second": together(contestant, options.count),
        "bulk_per_second": per_second(options.bulk, lambda: contestant.enqueue_many(options.bulk)),
    }
    empty(contestant)
    if not contestant.commands():
        return figures
    figures |= run(contestant, options.bodies, latency_seconds=options.latency_seconds)
    if options.history and contestant.add_history(options.history):
        if contestant.table:
            contestant.execute(f"VACUUM ANALYZE {contestant.table}")
        body.forget()
        figures["history"] = {
            "rows": options.history,
            "single_per_second": per_second(options.count, lambda: one_by_one(contestant, options.count)),
            **run(contestant, max(0, options.bodies - options.count), expected=max(options.bodies, options.count)),
        }
    return figures


def per_second(count: int, do: Any) -> float:
    began = time.perf_counter()
    do()
    return round(count / (time.perf_counter() - began), 1)


def one_by_one(contestant: Contestant, count: int) -> None:
    for _ in range(count):
        contestant.enqueue(0.0)


def together(contestant: Contestant, count: int) -> float | None:
    """Return how many are enqueued a second with one commit for each ``_TOGETHER``, or ``None`` if it cannot."""
    if not contestant.enqueue_together(1):
        return None
    times = max(1, count // _TOGETHER)
    return per_second(times * _TOGETHER, lambda: [contestant.enqueue_together(_TOGETHER) for _ in range(times)])


def from_threads(contestant: Contestant, count: int) -> None:
    def work(share: int) -> None:
        one_by_one(contestant, share)
        contestant.close_thread()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, [count // THREADS] * THREADS))


def empty(contestant: Contestant) -> None:
    contestant.execute(f"TRUNCATE {contestant.table} CASCADE" if contestant.table else "")
    body.forget()


def run(
    contestant: Contestant, count: int, *, expected: int | None = None, latency_seconds: float = 0.0
) -> dict[str, Any]:
    """Let workers run what waits, ``count`` more included, and measure the latency once they have nothing to do."""
    contestant.enqueue_many(count) if count else None
    expected = expected or count
    with contestant.running():
        bodies = wait_for(expected)
        figures: dict[str, Any] = {"bodies": len(bodies)}
        if len(bodies) >= 2:
            figures["runs_per_second"] = round((len(bodies) - 1) / (bodies[-1][0] - bodies[0][0]), 1)
        if latency_seconds:
            figures["latency_ms"] = latency(contestant, seconds=latency_seconds)
    return figures


def wait_for(expected: int) -> list[tuple[float, float]]:
    until = time.monotonic() + _PATIENCE_SECONDS
    while len(bodies := body.begun()) < expected and time.monotonic() < until:
        time.sleep(0.1)
    return bodies


def latency(contestant: Contestant, *, seconds: float) -> dict[str, float]:
    """Enqueue at a steady rate. Return the time from the call of ``enqueue`` to the first line of the body."""
    time.sleep(2)
    body.forget()
    count = int(seconds * _LATENCY_RATE)
    next_at = time.monotonic()
    for _ in range(count):
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at += 1 / _LATENCY_RATE
        contestant.enqueue(time.time())
    if not wait_for(count):
        raise RuntimeError("Its workers ran nothing.")
    waited = sorted((began - at) * 1000 for began, at in body.begun())
    share = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    found = {name: round(waited[min(len(waited) - 1, int(len(waited) * part))], 2) for name, part in share.items()}
    return {**found, "bodies": len(waited), "enqueued": count}


if __name__ == "__main__":
    main()
