"""Enqueue runs without a job, in the caller's transaction, and find them by their result ids."""

from __future__ import annotations

import itertools
import json
import secrets
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from scheduler import conf, sealing
from scheduler.core import error_messages
from scheduler.core.jobs import definitions
from scheduler.core.queues import orders, policies, tracks
from scheduler.core.queues.orders import Order
from scheduler.core.queues.policies import Policies
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.errors import AlreadyEnqueued, InvalidName, InvalidPolicy
from scheduler.models import Run
from scheduler.remote import executors
from scheduler.services.jobs.calling import TaskOrName, asynchronous, task_name
from scheduler.store.clock import aware
from scheduler.store.recording import enqueued

_TRIES = 5
"""A run with the same key that has just ended is looked for again so often."""


class Call(NamedTuple):
    """One call of a task that is to be enqueued."""

    task: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] | None = None
    queue: str = tracks.DEFAULT_QUEUE
    priority: int = 0
    run_after: datetime | None = None
    policies: Policies | None = None
    """``None``: those of the task."""

    requested_by: str = ""
    is_checked: bool = True
    """Whether the arguments are checked against the annotations of the task, as those of a job are."""


class Kind(NamedTuple):
    """A task and policies: everything that all calls with both have in common."""

    task: Task
    policies: Policies
    timeout_seconds: float | None
    lifetime_seconds: float | None
    stored_policies: str | None
    most_bytes: int
    """Of the arguments of one call."""


class Enqueued(NamedTuple):
    """The answer to one call."""

    public_id: uuid.UUID
    enqueued_at: datetime
    is_new: bool
    """Otherwise another run with the same unique key waits or runs, and this is that one's id."""


def enqueue(
    *,
    task: TaskOrName,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    queue: str = tracks.DEFAULT_QUEUE,
    priority: int = 0,
    run_after: datetime | None = None,
    actor: str = "",
) -> Enqueued:
    """
    Enqueue a run of a task. It exists when the caller's transaction commits, and nodes are woken then.

    The timeout, the retries, ``unique`` and ``expires`` are those that the task declares.

    :raises UnknownTask, InvalidArguments, InvalidPolicy, UnknownExecutor: naming the value and the reason
    """
    call = Call(
        task=task_name(task),
        args=args,
        kwargs=kwargs,
        queue=queue,
        priority=priority,
        run_after=run_after,
        requested_by=actor,
    )
    return enqueue_many(calls=[call])[0]


def enqueue_many(*, calls: Sequence[Call], now: datetime | None = None) -> list[Enqueued]:
    """
    Enqueue runs in one statement and return an answer for each, in order.

    :raises UnknownTask, InvalidArguments, InvalidPolicy, UnknownExecutor: no run was enqueued
    :raises AlreadyEnqueued: a unique key is taken by a transaction that this one cannot see
    """
    if not calls:
        return []
    wanted = _orders(calls)
    written = enqueued.enqueue(orders=wanted, now=now)
    refused = frozenset(written.refused or ())
    return [
        _present_or_new(order, now=now)
        if order.public_id in refused
        else Enqueued(public_id=order.public_id, enqueued_at=written.created_at, is_new=True)
        for order in wanted
    ]


def attempts(*, public_id: uuid.UUID) -> list[Run]:
    """Return the attempts of an enqueued run, the first one first. Empty: there is none with this result id."""
    return list(Run.objects.filter(public_id=public_id).order_by("attempt"))


def attempts_of(*, public_ids: Collection[uuid.UUID]) -> list[list[Run]]:
    """Return the attempts of each of these enqueued runs, in the order in which they were enqueued."""
    found = Run.objects.filter(public_id__in=public_ids).defer("log").order_by("public_id", "attempt")
    return [list(attempts) for _, attempts in itertools.groupby(found, key=attrgetter("public_id"))]


def _present_or_new(order: Order, *, now: datetime | None) -> Enqueued:
    """Return the run that has the key, or enqueue this one if that has just ended."""
    for _ in range(_TRIES):
        present = (
            Run.objects.filter(unique_key=order.unique_key, finished_at__isnull=True)
            .values_list("public_id", "created_at")
            .first()
        )
        if present is not None and present[0] is not None:
            return Enqueued(public_id=present[0], enqueued_at=present[1], is_new=False)
        written = enqueued.enqueue(orders=[order], now=now)
        if not written.refused:
            return Enqueued(public_id=order.public_id, enqueued_at=written.created_at, is_new=True)
    raise AlreadyEnqueued(error_messages.UNIQUE_KEY_BUSY(key=f"{order.unique_key}"))


def _orders(calls: Sequence[Call]) -> list[Order]:
    """Return the orders of calls. Everything that calls have in common is looked up once."""
    kinds: dict[tuple[str, int], Kind] = {}
    found = []
    for call in calls:
        key = (call.task, id(call.policies))
        kind = kinds.get(key)
        if kind is None:
            kind = kinds[key] = _kind(call)
        found.append(_order(call, kind))
    return found


def _kind(call: Call) -> Kind:
    task = registry.get(call.task)
    if len(task.name) > orders.LONGEST_TASK:
        raise InvalidName(error_messages.TASK_NAME_TOO_LONG(name=task.name[:64], most=orders.LONGEST_TASK))
    chosen = call.policies or policies_of(task)
    executors.check(chosen.executor)
    return Kind(
        task=task,
        policies=chosen,
        timeout_seconds=chosen.timeout_seconds,
        lifetime_seconds=chosen.lifetime_seconds,
        stored_policies=chosen.stored(),
        most_bytes=conf.get().max_arguments_bytes,
    )


def _order(call: Call, kind: Kind) -> Order:
    args, kwargs = _stored_arguments(kind, call)
    return Order(
        public_id=orders.uuid7(milliseconds=time.time_ns() // 1_000_000, random=secrets.randbits(74)),
        task=kind.task.name,
        args=args,
        kwargs=kwargs,
        executor=kind.policies.executor,
        queue=tracks.checked_name(call.queue),
        priority=_checked_priority(call.priority),
        run_after=None if call.run_after is None else aware(call.run_after),
        timeout_seconds=kind.timeout_seconds,
        lifetime_seconds=kind.lifetime_seconds,
        unique_key=_unique_key(kind.policies, kind.task, call) if kind.policies.unique else None,
        policies=kind.stored_policies,
        requested_by=call.requested_by[:150],
    )


def _stored_arguments(kind: Kind, call: Call) -> tuple[str, str]:
    """Return the positional arguments and those by name as JSON, checked and sealed."""
    task, most = kind.task, kind.most_bytes
    args, kwargs = list(call.args), dict(call.kwargs or {})
    if not call.is_checked and not task.secrets:  # mostly: it takes as long as all the rest of an order
        return definitions.encoded_arguments(args=args, kwargs=kwargs, max_bytes=most)
    accept = definitions.check_arguments if call.is_checked else definitions.sealed_arguments
    vault = sealing.Vault(job=orders.job_key(task.name))
    args, kwargs = accept(task=task, args=args, kwargs=kwargs, max_bytes=most, vault=vault)
    return json.dumps(args), json.dumps(kwargs)


def _unique_key(chosen: Policies, task: Task, call: Call) -> str | None:
    named = task.named(args=call.args, kwargs=call.kwargs or {})
    shown = {name: value for name, value in named.items() if name not in task.secrets}
    whole = shown if task.secrets else [list(call.args), call.kwargs or {}]
    spelled = json.dumps(whole, sort_keys=True, default=str)
    return chosen.unique_key(task=task.name, arguments=shown, call=spelled)


def _checked_priority(priority: Any) -> int:
    low, high = orders.LOWEST_PRIORITY, orders.HIGHEST_PRIORITY
    if isinstance(priority, bool) or not isinstance(priority, int) or not low <= priority <= high:
        raise InvalidPolicy(
            error_messages.POLICY_IS_A_WHOLE_NUMBER(name="priority", value=f"{priority}", low=low, high=high)
        )
    return priority


def policies_of(task: Task) -> Policies:
    """Return the policies of enqueued runs of a task: what its framework declares, else what ``@task`` does."""
    declared = getattr(task.adapter, "policies", None)
    if isinstance(declared, Policies):
        return declared
    timeout = None if task.timeout is None else task.timeout.total_seconds()
    return replace(policies.DEFAULTS, executor=task.executor, timeout=timeout, idempotent=task.idempotent)


aenqueue = asynchronous(enqueue)
aattempts = asynchronous(attempts)
