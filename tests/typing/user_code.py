"""
What a project writes. It is checked by mypy and pyright, and not run.

A line that ends in ``# wrong`` is to be rejected by both, every other one to be accepted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from scheduler import Retry, Secret, Skip, current_run, schedule, task
from scheduler.models import Job, Run
from scheduler.services import jobs, runs
from scheduler.testing import advance_by, advance_to, apply_schedules, assert_scheduled, drain, run_due, run_until

HOURLY = {"type": "interval", "hours": 1}


@schedule("0 8 * * mon", key="weekly", timezone="Europe/Berlin", kwargs={"recipient": "a@b.example"}, max_retries=3)
@task(name="shop.send_report", timeout=timedelta(minutes=5), rate="host:{recipient} 1/s")
def send_report(*, recipient: str, pages: int = 10) -> dict[str, int]:
    current_run().progress(1, 2, "half")
    return {"pages": pages}


@task
def plain(number: int) -> int:
    return number


@schedule(timedelta(hours=1))
@task(idempotent=True)
async def fetch(*, shop: str, token: Annotated[str, Secret]) -> None:
    if shop:
        raise Retry("later", after=timedelta(minutes=1))
    raise Skip("nothing new")


def a_task_is_still_the_function() -> None:
    pages: dict[str, int] = send_report(recipient="a@b.example")
    number: int = plain(pages["pages"])
    plain(number=number)
    send_report(recipient=1)  # wrong
    send_report()  # wrong
    send_report("a@b.example")  # wrong
    plain("one")  # wrong
    text: str = plain(1)  # wrong
    print(text)


@task(timeout="5 minutes")  # wrong
def with_a_text_for_a_timeout() -> None: ...


@task(retries=3)  # wrong
def with_a_policy_of_another_library() -> None: ...


@schedule(3600)  # wrong
def with_a_number_for_a_trigger() -> None: ...


@schedule("0 8 * * *", max_retries="many")  # wrong
def with_a_text_for_a_number() -> None: ...


@schedule("0 8 * * *", retries=3)  # wrong
def with_an_unknown_policy() -> None: ...


def the_services() -> None:
    job: Job = jobs.create(id="report", task=send_report, trigger=HOURLY, timeout=timedelta(minutes=5), tags=["daily"])
    jobs.update(job="report", priority=5, trigger=HOURLY)
    jobs.pause(job=job, reason="The printer is broken.", until=datetime(2027, 1, 1, tzinfo=UTC))
    run: Run = jobs.run_now(job="report")
    runs.cancel(run=run.pk)
    jobs.create(task=send_report)  # wrong
    jobs.create(task=send_report, trigger="0 8 * * *")  # wrong
    jobs.create(task=send_report, trigger=HOURLY, max_instances="one")  # wrong
    jobs.create(task=send_report, trigger=HOURLY, retries=3)  # wrong
    jobs.update(job="report", priority="high")  # wrong
    jobs.update(job="report", next_run_time=None)  # wrong
    jobs.pause(job=1)  # wrong
    jobs.pause(job, "The printer is broken.")  # wrong
    runs.cancel(run="first")  # wrong


async def the_services_for_async_code() -> None:
    job: Job = await jobs.acreate(task=plain, trigger=HOURLY)
    await jobs.arun_now(job=job)
    await jobs.apause(job=1)  # wrong
    text: str = jobs.arun_now(job=job)  # wrong
    print(text)


def the_tests() -> None:
    advance_to(datetime(2027, 1, 1, tzinfo=UTC))
    advance_by(timedelta(hours=1))
    apply_schedules()
    job: Job = assert_scheduled("weekly", at=datetime(2027, 1, 4, 7, tzinfo=UTC), task=send_report)
    ended: list[Run] = drain(check=True) + run_due() + run_until(datetime(2027, 2, 1, tzinfo=UTC))
    print(job, ended)
    advance_to("2027-01-01")  # wrong
    advance_by(3600)  # wrong
    assert_scheduled(1)  # wrong
    drain("check")  # wrong
