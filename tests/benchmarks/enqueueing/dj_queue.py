"""dj-queue: one process with threads, woken by notifications."""

from __future__ import annotations

from tests.benchmarks.enqueueing.contestant import OnDjango


class DjQueue(OnDjango):
    name = "dj_queue"
    table = "dj_queue_jobs"

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        self.task.get_backend().enqueue_all([(self.task, [], {"at": at})] * count)

    def add_history(self, count: int) -> bool:
        return False  # it is in several tables, which it empties by itself

    def commands(self) -> list[list[str]]:
        return [self.command("dj_queue", "--mode", "async", "--skip-recurring")]
