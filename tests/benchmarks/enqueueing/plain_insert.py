"""No queue: a row of two columns with a commit of its own, as the least that any queue in PostgreSQL can do."""

from __future__ import annotations

import os
import threading

import psycopg2

from tests.benchmarks.enqueueing.contestant import Contestant


class PlainInsert(Contestant):
    table = "plain_row"

    def prepare(self) -> None:
        self._of_thread = threading.local()
        self.execute("CREATE TABLE plain_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at float8)")

    def enqueue(self, at: float) -> None:
        with self._connection().cursor() as cursor:
            cursor.execute("INSERT INTO plain_row (at) VALUES (%s)", [at])

    def enqueue_together(self, count: int, at: float = 0.0) -> bool:
        connection = self._connection()
        connection.autocommit = False
        for _ in range(count):
            self.enqueue(at)
        connection.commit()
        connection.autocommit = True
        return True

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        with self._connection().cursor() as cursor:
            cursor.execute("INSERT INTO plain_row (at) SELECT unnest(%s::float8[])", [[at] * count])

    def commands(self) -> list[list[str]]:
        return []

    def execute(self, sql: str) -> None:
        with self._connection().cursor() as cursor:
            cursor.execute(sql)

    def close_thread(self) -> None:
        self._connection().close()
        del self._of_thread.connection

    def _connection(self) -> psycopg2.extensions.connection:
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = psycopg2.connect(os.environ["DATABASE_URL"])
            self._of_thread.connection.autocommit = True
        found: psycopg2.extensions.connection = self._of_thread.connection
        return found
