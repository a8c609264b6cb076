"""
The cost of alerts: runs a second of jobs that succeed, on a node without rules and sender, and on one that has a sender
and ten rules that watch all jobs, in turn.

    python -m tests.benchmarks.alerts [--jobs 1000] [--pairs 8] [--seconds 10] [--json FILE]

The jobs are due again as soon as all of them have run. The time includes one evaluation of each rule that depends on
time: in operation, that of two kinds comes once a minute. Uses a scratch database beside the configured one.
``python -m tests.scenarios.chaos outage`` is about jobs that fail.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from tests.benchmarks import scratch

RULES = 10
_KINDS = ("failing", "broken", "late", "deadline", "silent", "slow", "dropped", "failing", "late", "silent")
_WARM_UP_SECONDS = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    with scratch.database():
        pairs = [_pair(place, jobs=options.jobs, seconds=options.seconds) for place in range(options.pairs)]
    ratios = [pair[True] / pair[False] for pair in pairs]
    median = statistics.median(ratios)
    print(f"with {RULES} rules over {options.jobs} jobs: median ratio {median:.3f} of without", flush=True)
    if options.json:
        figures = {
            "command": f"python -m tests.benchmarks.alerts --jobs {options.jobs} --pairs {options.pairs}"
            f" --seconds {options.seconds:g}",
            "rules": RULES,
            "jobs": options.jobs,
            "median_ratio": round(median, 3),
            "ratios": [round(ratio, 3) for ratio in ratios],
            "runs_per_second_without": [round(pair[False]) for pair in pairs],
            "runs_per_second_with": [round(pair[True]) for pair in pairs],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _pair(place: int, *, jobs: int, seconds: float) -> dict[bool, float]:
    """Measure without and with rules; every second time the other way round."""
    rates: dict[bool, float] = {}
    for is_watched in (False, True) if place % 2 else (True, False):
        _watch(RULES if is_watched else 0)
        rates[is_watched] = measure(jobs=jobs, seconds=seconds, with_sender=is_watched)
    print(
        f"    {rates[False]:,.0f} runs/s without, {rates[True]:,.0f} with: {rates[True] / rates[False]:.3f}", flush=True
    )
    return rates


def _watch(count: int) -> None:
    """Have so many rules of several kinds that watch every job."""
    from scheduler.core.alerts import check_rule
    from scheduler.models import Incident, Notification, Rule

    for model in (Notification, Incident, Rule):
        model.objects.all().delete()
    for number in range(count):
        given = {"kind": _KINDS[number % len(_KINDS)], "threshold": 3, "seconds": 3600.0}
        Rule.objects.create(name=f"rule {number}", **check_rule(given))


def measure(*, jobs: int, seconds: float, with_sender: bool) -> float:
    """Return the runs a second that succeed."""
    from scheduler.services.alerts.sender import Sender

    scratch.empty()
    scratch.add_jobs(task="benchmarks.nothing", count=jobs)
    node, sender = scratch.node(threads=5), Sender()
    node.start()
    _work(node, seconds=_WARM_UP_SECONDS)
    before, began = _succeeded(), time.perf_counter()
    if with_sender:
        sender.start()
    _work(node, seconds=seconds)
    rate = (_succeeded() - before) / (time.perf_counter() - began)
    if with_sender:
        sender.stop(timeout=10)
    node.stop(grace_seconds=1)
    return rate


def _succeeded() -> int:
    from scheduler.models import Run

    return Run.objects.filter(state="succeeded").count()


def _work(node: Any, *, seconds: float) -> None:
    """Let the node work, and make its jobs due whenever it has run all of them."""
    ends_at = time.perf_counter() + seconds
    looks_at = 0.0
    while (now := time.perf_counter()) < ends_at:
        if now >= looks_at:
            _make_due_again()
            looks_at = time.perf_counter() + 0.02
        pause = node.run_once()
        if pause > 0:
            node.wakeups.sleep(timeout=min(pause, 0.005))


def _make_due_again() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE django_apscheduler_djangojob
               SET next_run_time = now()
             WHERE NOT EXISTS (SELECT FROM scheduler_run WHERE finished_at IS NULL)
               AND NOT EXISTS (SELECT FROM django_apscheduler_djangojob WHERE next_run_time <= now())
            """
        )
        if cursor.rowcount:
            cursor.execute("SELECT pg_notify('scheduler_jobs', '')")


if __name__ == "__main__":
    main()
