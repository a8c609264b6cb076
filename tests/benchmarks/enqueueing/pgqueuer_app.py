"""PgQueuer: one worker, whose bodies are coroutines, woken by notifications. Finished jobs leave a log."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.psycopg import SyncPsycopgDriver
from pgqueuer.models import Job
from pgqueuer.queries import SyncQueries

from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant


@asynccontextmanager
async def main() -> AsyncIterator[PgQueuer]:
    """Make the worker."""
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        worker = PgQueuer.from_psycopg_connection(connection)

        @worker.entrypoint("begin")
        async def begin(job: Job) -> None:
            body.begin(json.loads(job.payload or b"0"))

        yield worker


class PgQueuerContestant(Contestant):
    table = "pgqueuer"

    def prepare(self) -> None:
        os.environ |= _variables()
        _call("install")
        self._of_thread = threading.local()

    def enqueue(self, at: float) -> None:
        self._queries().enqueue("begin", json.dumps(at).encode())

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        self._queries().enqueue(["begin"] * count, [json.dumps(at).encode()] * count, [0] * count)

    def _queries(self) -> SyncQueries:
        if not hasattr(self._of_thread, "queries"):
            connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
            self._of_thread.queries = SyncQueries(SyncPsycopgDriver(connection))
        queries: SyncQueries = self._of_thread.queries
        return queries

    def commands(self) -> list[list[str]]:
        return [[sys.executable, "-m", "tests.benchmarks.enqueueing.pgqueuer_app"]]

    def execute(self, sql: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql)


def _variables() -> dict[str, str]:
    from urllib.parse import urlsplit

    url = urlsplit(os.environ["DATABASE_URL"])
    found = {"PGHOST": url.hostname, "PGPORT": url.port, "PGUSER": url.username, "PGDATABASE": url.path.lstrip("/")}
    return {name: str(value) for name, value in found.items() if value}


def _call(*words: str) -> None:
    import subprocess

    subprocess.run([sys.executable, "-m", "pgqueuer", *words], check=True, capture_output=True)


async def _work() -> None:
    async with main() as worker:
        await worker.run(batch_size=100)


if __name__ == "__main__":
    asyncio.run(_work())
