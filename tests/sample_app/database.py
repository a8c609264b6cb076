"""Tasks that use the database: for tests of what they do to the transaction of whoever runs them."""

from __future__ import annotations

import logging

from django.contrib.auth.models import Group
from django.db import transaction

from scheduler import Retry, current_run, task
from scheduler.services import jobs

called: list[str] = []
"""What callbacks of ``transaction.on_commit`` were given."""


@task(name="database.add_group")
def add_group(*, name: str) -> int:
    """Write a row."""
    logging.getLogger("somewhere").info("adding %s", name)
    return Group.objects.create(name=name).pk


@task(name="database.add_and_fail")
def add_and_fail(*, name: str) -> None:
    """Write a row, and raise."""
    Group.objects.create(name=name)
    raise ValueError(f"after {name}")


@task(name="database.violate")
def violate(*, name: str) -> None:
    """Write the same row twice, which the database rejects."""
    Group.objects.create(name=name)
    Group.objects.create(name=name)


@task(name="database.call_on_commit")
def call_on_commit(*, text: str) -> None:
    """Register a callback."""
    with transaction.atomic():
        transaction.on_commit(lambda: called.append(text))


@task(name="database.fail_once")
def fail_once(*, after: float) -> str:
    """Ask to be run again at the first attempt."""
    if current_run().attempt == 1:
        raise Retry("not yet", after=after)
    return "second"


@task(name="database.run_another")
def run_another(*, job: str) -> None:
    """Request a run of another job."""
    jobs.run_now(job=job)


@task(name="database.count_groups", idempotent=True)
async def count_groups() -> int:
    """Read rows from async code."""
    return await Group.objects.acount()
