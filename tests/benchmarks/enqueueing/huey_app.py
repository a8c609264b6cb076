"""huey with its storage in PostgreSQL: one consumer with threads, woken by notifications. It has no call for many."""

from __future__ import annotations

import os
import sys

import psycopg
from huey import PostgresHuey

from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant

huey = PostgresHuey("benchmark", dsn=os.environ["DATABASE_URL"])


@huey.task()  # type: ignore[untyped-decorator]
def begin(at: float) -> None:
    body.begin(at)


class HueyContestant(Contestant):
    table = "huey_task"

    def prepare(self) -> None:
        """Its module creates the tables."""

    def enqueue(self, at: float) -> None:
        begin(at)

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        for _ in range(count):
            begin(at)

    def commands(self) -> list[list[str]]:
        app = "tests.benchmarks.enqueueing.huey_app.huey"
        return [[sys.executable, "-m", "huey.bin.huey_consumer", app, "-k", "thread", "-w", str(self.workers), "-q"]]

    def execute(self, sql: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(sql.encode())
