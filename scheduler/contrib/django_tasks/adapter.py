"""The node's part around the body of a Django task: the context, the signals, and results as Django keeps them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.contrib.django_tasks.compat import (
    TaskContext,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_backends,
    task_finished,
    task_started,
)
from scheduler.contrib.django_tasks.results import fold, shown
from scheduler.contrib.django_tasks.task_policies import policies_of
from scheduler.core.queues import orders
from scheduler.core.queues.policies import DEFAULTS, Policies
from scheduler.core.tasks.adapters import EndedRun

if TYPE_CHECKING:
    from scheduler.store.recording.runs import OwnedRun


@dataclass(frozen=True, slots=True, kw_only=True)
class DjangoTaskAdapter:
    """Calls a task of ``django.tasks`` as Django's own backends do, whatever the backend of the task is."""

    source: Any
    """The ``django.tasks.Task``."""

    policies: Policies = field(default=DEFAULTS)

    @property
    def takes_context(self) -> bool:
        return bool(self.source.takes_context)

    def call(
        self, function: Callable[..., Any], *, run: OwnedRun, node: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        if run.public_id is not None or self.takes_context:
            result = self._begun(run, node)
            if run.public_id is not None:
                task_started.send_robust(self._sender(), task_result=result)
            if self.takes_context:
                args = (TaskContext(task_result=result), *args)
        return function(*args, **kwargs)

    def result(self, value: Any) -> Any:
        """:raises TypeError: JSON cannot hold it"""
        return normalize_json(value)

    def ended(self, *, runs: Sequence[EndedRun]) -> None:
        """Send ``task_finished`` for those of which the last attempt has ended."""
        from scheduler.services.runs import enqueueing

        ended = {run.id for run in runs}
        for attempts in enqueueing.attempts_of(public_ids=[uuid.UUID(run.result_id) for run in runs]):
            if attempts[-1].pk not in ended or attempts[-1].finished_at is None:
                continue
            result = fold(attempts, alias=self.source.backend)
            task_finished.send_robust(self._sender(), task_result=result)

    def _sender(self) -> type:
        return type(task_backends[self.source.backend])

    def _begun(self, run: OwnedRun, node: str) -> TaskResult:
        """Return the result of a run that begins. Of a further attempt the ledger has the former ones."""
        if run.public_id is not None and run.attempt > 1:
            return self._begun_again(run, node)
        now = datetime.now(UTC)
        enqueued_at = run.scheduled_at
        if run.public_id is not None:
            milliseconds = orders.milliseconds_of(uuid.UUID(run.public_id))
            enqueued_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
        return TaskResult(
            task=self.source,
            id=run.public_id or str(run.id),
            status=TaskResultStatus.RUNNING,
            enqueued_at=enqueued_at,
            started_at=now,
            finished_at=None,
            last_attempted_at=now,
            args=[shown(value) for value in json.loads(run.args)],
            kwargs={name: shown(value) for name, value in json.loads(run.kwargs).items()},
            backend=self.source.backend,
            errors=[],
            worker_ids=[node],
        )

    def _begun_again(self, run: OwnedRun, node: str) -> TaskResult:
        from scheduler.services.runs import enqueueing

        attempts = enqueueing.attempts(public_id=uuid.UUID(str(run.public_id)))
        result = fold(attempts, alias=self.source.backend)
        if attempts[-1].started_at is None:  # it skipped the start gate: the ledger shows it as running in a moment
            result.worker_ids.append(node)
            object.__setattr__(result, "last_attempted_at", datetime.now(UTC))
            object.__setattr__(result, "status", TaskResultStatus.RUNNING)
        return result


def adapter_of(task: Any) -> DjangoTaskAdapter:
    """
    Return the adapter of a Django task.

    :raises InvalidPolicy, TypeError: a policy of it cannot be used
    """
    return DjangoTaskAdapter(source=task, policies=policies_of(task, options=task.get_backend().options))
