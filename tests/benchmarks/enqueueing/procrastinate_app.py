"""procrastinate: one worker with threads for its synchronous tasks, woken by notifications."""

from __future__ import annotations

import os
import sys

import procrastinate
import psycopg

from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant

_HISTORY = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, args, status, attempts)
    SELECT 'default', 'begin', 0, '{{"at": 1}}', 'succeeded', 1 FROM generate_series(1, {count})
"""

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(name="begin")  # type: ignore[untyped-decorator]
def begin(at: float) -> None:
    body.begin(at)


class Procrastinate(Contestant):
    table = "procrastinate_jobs"

    def prepare(self) -> None:
        app.open()
        app.schema_manager.apply_schema()

    def enqueue(self, at: float) -> None:
        begin.defer(at=at)

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        begin.batch_defer(*[{"at": at}] * count)

    def commands(self) -> list[list[str]]:
        concurrency = ["--concurrency", str(self.workers)]
        module = "tests.benchmarks.enqueueing.procrastinate_app.app"
        return [[sys.executable, "-m", "procrastinate", "--app", module, "worker", *concurrency]]

    def execute(self, sql: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql)

    def add_history(self, count: int) -> bool:
        self.execute(_HISTORY.format(count=count))
        return True
