"""The interface of a contestant, and what those on ``django.tasks`` share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Contestant(ABC):
    """Enqueues the body, and starts its workers as its documentation says. Made in the process that enqueues."""

    table: str | None = None
    """The table with what waits, to be emptied. ``None``: it is not in the database."""

    def __init__(self, *, workers: int) -> None:
        self.workers = workers

    @abstractmethod
    def prepare(self) -> None:
        """Create its tables."""

    @abstractmethod
    def enqueue(self, at: float) -> None:
        """Enqueue and commit one."""

    @abstractmethod
    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        """Enqueue and commit many, as fast as its interface allows."""

    def enqueue_together(self, count: int, at: float = 0.0) -> bool:
        """Enqueue so many one by one, with one commit. Return false if it cannot."""
        return False

    @abstractmethod
    def commands(self) -> list[list[str]]:
        """Return the command of each worker process. Without any it runs nothing."""

    def add_history(self, count: int) -> bool:
        """Add finished rows. Return false if it keeps none."""
        return False

    def close_thread(self) -> None:  # noqa: B027 - most open nothing
        """Give back what this thread opened."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the workers within a block."""
        processes = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for command in self.commands()
        ]
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    @abstractmethod
    def execute(self, sql: str) -> None:
        """Run a statement on the database."""


class OnDjango(Contestant):
    """A backend of ``django.tasks``, in a plain project."""

    name: str
    history: str
    """A statement that adds ``{count}`` finished rows like one that is there."""

    def prepare(self) -> None:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.enqueueing.settings",
            "BENCHMARK_BACKEND": self.name,
            "BENCHMARK_WORKERS": str(self.workers),
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from tests.benchmarks.enqueueing.app import tasks

        self.task: Any = tasks.begin

    def enqueue(self, at: float) -> None:
        self.task.enqueue(at=at)

    def enqueue_together(self, count: int, at: float = 0.0) -> bool:
        from django.db import transaction

        with transaction.atomic():
            for _ in range(count):
                self.enqueue(at)
        return True

    def close_thread(self) -> None:
        from django.db import connection

        connection.close()

    def execute(self, sql: str) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(sql)

    def add_history(self, count: int) -> bool:
        self.execute(self.history.format(count=count))
        return True

    @staticmethod
    def command(*words: str) -> list[str]:
        return [sys.executable, "-m", "django", *words]
