"""chancy: one worker, whose bodies are coroutines, woken by notifications and after each job."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import psycopg
from chancy import Chancy, Job, Queue, Worker

from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant

_CONCURRENCY = 100


async def begin(*, at: float) -> None:
    body.begin(at)


def _app() -> Chancy:
    logger = logging.getLogger("chancy.benchmark")
    logger.setLevel(logging.WARNING)
    return Chancy(os.environ["DATABASE_URL"], log=logger)


class ChancyContestant(Contestant):
    table = "chancy_jobs"

    def prepare(self) -> None:
        async def create() -> None:
            async with _app() as app:
                await app.migrate()
                queue = Queue("default", executor=Chancy.Executor.Async, concurrency=_CONCURRENCY, eager_polling=True)
                await app.declare(queue)

        asyncio.run(create())
        self._app = _app()
        self._app.sync_pool.open()

    def enqueue(self, at: float) -> None:
        self._app.sync_push(_job(at))

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        list(self._app.sync_push_many([_job(at)] * count))

    def commands(self) -> list[list[str]]:
        return [[sys.executable, "-m", "tests.benchmarks.enqueueing.chancy_app"]]

    def execute(self, sql: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql.encode())


def _job(at: float) -> Job:
    return Job(func="tests.benchmarks.enqueueing.chancy_app.begin", kwargs={"at": at})


async def _work() -> None:
    async with _app() as app, Worker(app) as worker:
        await worker.wait_for_shutdown()


if __name__ == "__main__":
    asyncio.run(_work())
