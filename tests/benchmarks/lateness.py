"""
How late runs begin at a steady rate: no-op jobs spread evenly, from their fire time to the start of their body.

    python -m tests.benchmarks.lateness [--rate 500] [--seconds 30] [--threads 5] [--no-gate]

Uses a scratch database beside the configured one. The first five seconds are not counted.
"""

from __future__ import annotations

import argparse
import time

from tests.benchmarks import scratch

PERIOD_SECONDS = 10
WARM_UP_SECONDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=500, help="runs a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=5)
    parser.add_argument("--no-gate", action="store_true", help="declare the task idempotent: it skips the start gate")
    options = parser.parse_args()
    task = "benchmarks.nothing_idempotent" if options.no_gate else "benchmarks.nothing"
    with scratch.database():
        measure(task=task, rate=options.rate, seconds=options.seconds, threads=options.threads)


def measure(*, task: str, rate: int, seconds: int, threads: int) -> None:
    """Run for that long and print the percentiles, from the ledger."""
    from django.db import connection

    trigger = f'{{"type": "interval", "seconds": {PERIOD_SECONDS}}}'
    scratch.empty()
    scratch.add_jobs(task=task, count=rate * PERIOD_SECONDS, trigger=trigger, spread=PERIOD_SECONDS)
    node = scratch.node(threads=threads)
    node.start()
    ends_at = time.monotonic() + WARM_UP_SECONDS + seconds
    cpu = time.process_time()
    while time.monotonic() < ends_at:
        pause = node.run_once()
        if pause > 0:
            node.wakeups.sleep(timeout=pause)
    cpu = time.process_time() - cpu
    node.stop(grace_seconds=5)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*), percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (ORDER BY started_at - scheduled_at)
              FROM scheduler_run
             WHERE state = 'succeeded'
               AND scheduled_at > (SELECT min(scheduled_at) FROM scheduler_run) + %s * interval '1 second'
            """,
            [WARM_UP_SECONDS],
        )
        count, percentiles = cursor.fetchone()
    p50, p99, worst = (value.total_seconds() * 1000 for value in percentiles)
    print(f"{rate} runs/s for {seconds} s, {threads} threads, {task}: {count:,} runs")
    print(f"  lateness p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {worst:.1f} ms")
    print(f"  node's processor time {100 * cpu / (WARM_UP_SECONDS + seconds):.0f} % of one core")


if __name__ == "__main__":
    main()
