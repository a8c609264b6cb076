"""The Celery task that nodes send."""

from __future__ import annotations

from celery import Task

from scheduler.contrib.celery import messages


class RunTask(Task):
    """Run the body of one attempt of a run. Sent by nodes, never by people."""

    name = messages.TASK
    Strategy = "scheduler.contrib.celery.receiving:strategy"
    ignore_result = True
    acks_late = False
    max_retries = 0
    send_events = False

    def run(self, **arguments: int) -> None:
        """:raises RuntimeError: it is called without a worker, e.g. with ``task_always_eager``"""
        raise RuntimeError(f"{messages.TASK} is only run by workers, for messages of the scheduler's nodes.")
