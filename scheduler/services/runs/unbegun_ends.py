"""Enqueued runs that end before a node has begun them: their framework hears of it from this process."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.db import transaction

from scheduler.core.tasks.adapters import EndedRun
from scheduler.core.tasks.registry import registry
from scheduler.errors import UnknownTask
from scheduler.models import Run
from scheduler.store import database


def report_after_commit(*, runs: Iterable[Run]) -> None:
    """Report ends of enqueued runs when the caller's transaction commits. Exceptions of receivers are logged."""
    for run in runs:
        if run.public_id is not None:
            ended = EndedRun(run.pk, run.task, str(run.public_id))
            transaction.on_commit(partial(_report, ended), using=database.tables_alias(), robust=True)


def _report(run: EndedRun) -> None:
    try:
        adapter = registry.get(run.task).adapter
    except UnknownTask:
        return  # no code of it is here that could listen
    if adapter is not None:
        adapter.ended(runs=[run])
