"""
How many runs a second: N no-op jobs due at once on the thread pool, every run in the ledger.

    python -m tests.benchmarks.throughput [--jobs 5000] [--threads 5] [--rounds 5] [--no-gate]

Uses a scratch database beside the configured one; prints the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

from tests.benchmarks import scratch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-gate", action="store_true", help="declare the task idempotent: it skips the start gate")
    options = parser.parse_args()
    task = "benchmarks.nothing_idempotent" if options.no_gate else "benchmarks.nothing"
    with scratch.database():
        rates = [measure(task, options.jobs, options.threads) for _ in range(options.rounds)]
    gate = "without" if options.no_gate else "with"
    print(f"{options.jobs} jobs due at once, {options.threads} threads, {gate} the start gate:")
    print(f"  runs/s median {statistics.median(rates):,.0f}, min {min(rates):,.0f}, max {max(rates):,.0f}")


def measure(task: str, jobs: int, threads: int) -> float:
    """Run one round and return the runs per second, from the start of the node to the last outcome in the ledger."""
    from scheduler.models import Run

    scratch.empty()
    scratch.add_jobs(task=task, count=jobs)
    node = scratch.node(threads=threads)
    node.start()
    began = time.perf_counter()
    while Run.objects.filter(state="succeeded").count() < jobs:
        deadline = time.perf_counter() + 0.05
        while time.perf_counter() < deadline:
            pause = node.run_once()
            if pause > 0:
                node.wakeups.sleep(timeout=min(pause, 0.01))
    took = time.perf_counter() - began
    node.stop(grace_seconds=1)
    finished = Run.objects.filter(state="succeeded", attempt=1)
    span = finished.latest("finished_at").finished_at - finished.earliest("created_at").created_at
    print(f"    {jobs / span.total_seconds():,.0f} runs/s by the ledger, {jobs / took:,.0f} by the wall", flush=True)
    return jobs / span.total_seconds()


if __name__ == "__main__":
    main()
