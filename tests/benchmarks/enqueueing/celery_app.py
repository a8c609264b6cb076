"""Celery with Valkey as its broker and for its results: one worker with threads. Nothing is in PostgreSQL."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

from celery import Celery

from tests.benchmarks.contestants import celery_worker
from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant

app = Celery("benchmark")
if "BENCHMARK_BROKER" in os.environ:
    app.conf.update(broker_url=os.environ["BENCHMARK_BROKER"], result_backend=os.environ["BENCHMARK_BROKER"])


@app.task(name="begin")  # type: ignore[untyped-decorator]
def begin(at: float) -> None:
    body.begin(at)


class CeleryContestant(Contestant):
    def prepare(self) -> None:
        self._broker = ExitStack()
        self._broker.enter_context(celery_worker.broker())
        app.conf.update(broker_url=os.environ["BENCHMARK_BROKER"], result_backend=os.environ["BENCHMARK_BROKER"])

    def enqueue(self, at: float) -> None:
        begin.delay(at)

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        with app.producer_pool.acquire(block=True) as producer:  # one connection for all
            for _ in range(count):
                begin.apply_async((at,), producer=producer)

    def commands(self) -> list[list[str]]:
        pool = ["--pool", "threads", "--concurrency", str(self.workers), "--loglevel", "ERROR"]
        return [[sys.executable, "-m", "celery", "-A", "tests.benchmarks.enqueueing.celery_app", "worker", *pool]]

    def execute(self, sql: str) -> None:
        """It has no database. What waits is removed from the broker instead."""
        app.control.purge()
