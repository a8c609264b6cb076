"""
What alerts cost: no-op runs a second without rules and with ten that watch every job, in turn; and a flood of failures.

    python -m tests.benchmarks.alerts [--jobs 1000] [--rounds 7] [--failing 100000]

Uses a scratch database beside the configured one.
"""

from __future__ import annotations

import argparse
import statistics
import time

from tests.benchmarks import scratch, throughput
from tests.benchmarks.contestants.work import memory_mb

RULES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--failing", type=int, default=0, metavar="N", help="let so many jobs fail at once as well")
    options = parser.parse_args()
    with scratch.database():
        compare(jobs=options.jobs, rounds=options.rounds)
        for rules in (0, 1) if options.failing else ():
            flood(jobs=options.failing, rules=rules)


def compare(*, jobs: int, rounds: int) -> None:
    """Print the median of the ratios of pairs: with rules to without."""
    ratios = []
    for place in range(rounds):
        pair: dict[bool, float] = {}
        for watched in (False, True) if place % 2 else (True, False):
            watch(RULES if watched else 0)
            pair[watched] = throughput.measure("benchmarks.nothing", jobs, 5)
        ratios.append(pair[True] / pair[False])
    print(f"with {RULES} rules over {jobs} jobs: median ratio {statistics.median(ratios):.3f} of without", flush=True)


def watch(count: int) -> None:
    """Have so many rules of several kinds that watch every job."""
    from scheduler.core.alerts import check_rule
    from scheduler.models import Incident, Notification, Rule

    for model in (Notification, Incident, Rule):
        model.objects.all().delete()
    kinds = ("failing", "broken", "late", "deadline", "silent", "slow", "dropped", "failing", "late", "silent")
    for number in range(count):
        kind = kinds[number % len(kinds)]
        given = {"kind": kind, "threshold": 3, "seconds": 3600.0}
        Rule.objects.create(name=f"rule {number}", **check_rule(given))


def flood(*, jobs: int, rules: int) -> None:
    """Let many jobs fail at once, and tell of it: how long does that take, and in how much memory?"""
    from scheduler.models import Incident, Notification, Run
    from scheduler.services.alerts.sender import Sender

    watch(rules)
    scratch.empty()
    scratch.add_jobs(task="benchmarks.fail", count=jobs)
    Incident.objects.all().delete()
    from scheduler.models import Rule

    Rule.objects.update(threshold=1)
    node = scratch.node(threads=5)
    node.start()
    before, began = memory_mb(), time.perf_counter()
    while Run.objects.filter(state="failed").count() < jobs:
        deadline = time.perf_counter() + 1.0
        while time.perf_counter() < deadline:
            pause = node.run_once()
            if pause > 0:
                node.wakeups.sleep(timeout=min(pause, 0.01))
    recorded = time.perf_counter() - began
    node.stop(grace_seconds=1)
    began = time.perf_counter()
    Sender().run_until_empty(timeout=300)
    told = time.perf_counter() - began
    untold = Incident.objects.filter(opened_in__isnull=True).count()
    print(
        f"{jobs} jobs failed at once, {rules} rules: recorded in {recorded:.1f} s, told in {told:.1f} s, "
        f"{untold} untold, "
        f"{Notification.objects.count()} messages, memory {before} → {memory_mb()} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
