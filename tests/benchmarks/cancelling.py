"""
How quickly a cancellation reaches a body that runs: from the request to the end of the run, by the ledger.

    python -m tests.benchmarks.cancelling [--runs 100]

The body looks every 5 ms whether it should stop. Uses a scratch database beside the configured one.
"""

from __future__ import annotations

import argparse
import dataclasses

from tests.benchmarks import scratch
from tests.waiting import wait_until


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    options = parser.parse_args()
    with scratch.database():
        seconds = sorted(measure(options.runs))
    print(f"{options.runs} runs cancelled while they ran")
    print(
        f"  from request to end p50 {1000 * seconds[len(seconds) // 2]:.0f} ms, "
        f"p99 {1000 * seconds[int(len(seconds) * 0.99)]:.0f} ms, max {1000 * seconds[-1]:.0f} ms"
    )


def measure(count: int) -> list[float]:
    from scheduler import conf
    from scheduler.engine.scheduler import DurableScheduler
    from scheduler.models import Run
    from scheduler.services import jobs, runs

    job = jobs.create(task="benchmarks.listen", trigger={"type": "date", "run_at": "2100-01-01T00:00:00Z"})
    scheduler = DurableScheduler(settings=dataclasses.replace(conf.get(), processes=0))
    scheduler.start()
    found = []
    for _ in range(count):
        run = jobs.run_now(job=job)
        wait_until(lambda run=run: Run.objects.filter(pk=run.pk, state="running").exists())
        runs.cancel(run=run)
        wait_until(lambda run=run: Run.objects.filter(pk=run.pk, state="cancelled").exists())
        run.refresh_from_db()
        assert run.finished_at is not None
        assert run.cancel_requested_at is not None
        found.append((run.finished_at - run.cancel_requested_at).total_seconds())
    scheduler.shutdown()
    return found


if __name__ == "__main__":
    main()
