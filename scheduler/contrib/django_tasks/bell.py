"""The doorbell of ``tasks:ALIAS``: another backend of ``settings.TASKS`` enqueues one task of ours for each ring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import close_old_connections

from scheduler.contrib.django_tasks.backend import LedgerBackend
from scheduler.contrib.django_tasks.compat import task_backends
from scheduler.core import error_messages
from scheduler.core.queues import executor_messages, tracks
from scheduler.core.states import NodeKind
from scheduler.errors import BrokerUnavailable, UnusableExecutor
from scheduler.remote.executors import Ring
from scheduler.untouched import time

LONGEST_SECONDS = 5.0
"""The longest that a backend may take for one batch. The rest of the batch is rung again."""


class TasksBell:
    """Rings one backend."""

    def __init__(self, target: str) -> None:
        self._alias = target
        self._executor = tracks.remote(NodeKind.TASKS, target)

    def check(self) -> None:
        """:raises UnusableExecutor: there is no such backend, it cannot be made, or it is the ledger itself"""
        if self._alias not in task_backends.settings:
            others = ", ".join(f"“{alias}”" for alias in sorted(task_backends.settings))
            raise UnusableExecutor(
                executor_messages.NO_TASKS_BACKEND(name=self._executor, alias=self._alias, aliases=others)
            )
        try:
            backend = task_backends[self._alias]
            if isinstance(backend, LedgerBackend):
                raise UnusableExecutor(executor_messages.BACKEND_IS_THE_LEDGER(name=self._executor, alias=self._alias))
            self._task()
        except UnusableExecutor:
            raise
        except Exception as error:  # a backend is not ours, and may raise anything
            raise UnusableExecutor(
                executor_messages.UNUSABLE_TASKS_BACKEND(
                    name=self._executor, problem=f"{type(error).__name__}: {error}"
                )
            ) from error

    def ring(self, rings: Sequence[Ring]) -> None:
        """:raises BrokerUnavailable: some of them may have been sent"""
        until = time.monotonic() + LONGEST_SECONDS
        close_old_connections()  # a backend may keep its tasks in a database, and this thread lives long
        try:
            task = self._task()
            for ring in rings:
                task.enqueue(**ring._asdict())
                if time.monotonic() > until:
                    raise TimeoutError(f"It took more than {LONGEST_SECONDS:g} s.")
        except Exception as error:  # as above
            problem = f"{type(error).__name__}: {error}"[:300]
            raise BrokerUnavailable(error_messages.BROKER_REFUSED(broker=self._executor, problem=problem)) from error
        finally:
            close_old_connections()

    def _task(self) -> Any:
        from scheduler.contrib.django_tasks import ringing

        return ringing.task_of(self._alias)
