"""This scheduler: every run passes the start gate and is in the ledger."""

from __future__ import annotations

import statistics
from typing import Any

from tests.benchmarks import scratch, throughput

TASK = "benchmarks.nothing"
ROUNDS = 3


def run(*, jobs: int, threads: int, task: str = TASK) -> dict[str, Any]:
    with scratch.database():
        rates = [throughput.measure(task, jobs, threads) for _ in range(ROUNDS)]
    rate = statistics.median(rates)
    return {"jobs": jobs, "seconds": round(jobs / rate, 3), "runs_per_second": round(rate, 1)}
