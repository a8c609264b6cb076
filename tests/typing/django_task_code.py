"""
What a project writes that enqueues tasks of Django. It is checked by mypy and pyright, and not run.

A line that ends in ``# wrong`` is to be rejected by both, every other one to be accepted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.tasks import task

from scheduler import schedule
from scheduler.contrib.django_tasks import policies
from scheduler.models import Run
from scheduler.testing import assert_enqueued, assert_not_enqueued, eager, enqueued


@policies(max_retries=3, unique="order:{order}", expires=timedelta(hours=1), idempotent=True)
@task(queue_name="mail")
def send(order: int, *, copies: int = 1) -> str:
    return f"{order} × {copies}"


@task
async def fetch(shop: str) -> int:
    return len(shop)


@policies(retries=3)  # wrong
@task
def with_an_unknown_policy() -> None: ...


@policies(timeout="5 minutes")  # wrong
@task
def with_a_text_for_a_timeout() -> None: ...


def enqueueing() -> None:
    result = send.enqueue(1, copies=2)
    text: str = result.return_value
    send.using(priority=5, run_after=datetime(2027, 1, 1, tzinfo=UTC)).enqueue(order=1)
    print(text, send.call(1), fetch.enqueue("corner").id)
    send.enqueue("one")  # wrong
    send.enqueue()  # wrong
    send.enqueue(1, copy=2)  # wrong
    send.enqueue(1, 2)  # wrong
    send.using(priority="high")  # wrong
    number: int = result.return_value  # wrong
    print(number)


async def enqueueing_from_async_code() -> None:
    result = await send.aenqueue(1)
    text: str = result.return_value
    print(text)
    await send.aenqueue("one")  # wrong
    await fetch.aenqueue(1)  # wrong


def the_tests() -> None:
    run: Run = assert_enqueued(send, order=1)
    assert_not_enqueued(send)
    with eager():
        send.enqueue(1)
    runs: list[Run] = enqueued(send) + enqueued()
    print(run, runs, schedule)
    assert_enqueued()  # wrong
