"""A calendar that people change again and again while several nodes run the jobs that use it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from scheduler.models import Calendar, Change, Job, Run
from scheduler.services import calendars, jobs
from scheduler.store.clock import database_now
from tests.scenarios.site import Site
from tests.scenarios.ticking import EVERY_SECOND, assert_covered_once
from tests.waiting import wait_until

JOBS, NODES, CHANGES = 12, 3, 16


def leaving_out(now: datetime, number: int) -> str:
    """A rule for some hours around now: no two are alike."""
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    return f"{begin:%Y-%m-%d %H:%M}..{end:%Y-%m-%d %H:%M} Outage {number}"


def change(calendar: Calendar, number: int) -> None:
    """Leave everything out by the even numbers, and a day that is over by the odd ones."""
    rule = f"{2000 + number}-01-01 Long ago" if number % 2 else leaving_out(database_now(), number)
    calendars.update(calendar=calendar, rules=[rule], actor="ada")


def entry(text: str) -> str:
    """Return the name of an outage in a rule or in the reason of a row, or nothing."""
    return text[text.index("Outage") :] if "Outage" in text else ""


def versions(job: Job) -> list[str]:
    """Return by which outages the trigger of the job left everything out, one after the other, by its history."""
    rules = {row.digest: row.content["rules"] for row in calendars.CalendarVersion.objects.all()}
    found = []
    for each in Change.objects.filter(job_key=job.pk).order_by("id"):
        trigger: dict[str, Any] = each.definition["trigger"]
        found.append(entry(rules[trigger["calendars"]["off"]][0]))
    return found


def is_in_order(said: Iterable[str], versions: Iterable[str]) -> bool:
    """Whether each of them is a version, and none that was over comes again. Some may be in force for no fire time."""
    remaining = iter(versions)
    return all(each in remaining for each, _ in groupby(said))


def test_no_fire_time_is_lost_or_doubled_and_each_says_why(site: Site) -> None:
    calendar = calendars.create(name="off", rules=["1999-01-01 Long ago"])
    for number in range(JOBS):
        trigger = {**EVERY_SECOND, "not_on": ["off"]}
        given = {"task": "sample.nothing", "trigger": trigger, "misfire_grace_time": None, "coalesce": number % 2 == 0}
        jobs.create(id=f"job-{number}", **given)
    nodes = [site.start_node() for _ in range(NODES)]
    wait_until(lambda: Run.objects.filter(state="succeeded").count() > JOBS)

    for number in range(CHANGES):
        change(calendar, number)
        threading.Event().wait(0.9)
    killed = nodes.pop()
    killed.kill()
    change(calendar, CHANGES)
    site.lose(killed)
    last = Run.objects.filter(reason_code="left_out_by_calendar", reason_params__entry=f"Outage {CHANGES}")
    wait_until(lambda: last.values("job_key").distinct().count() == JOBS)
    change(calendar, CHANGES + 1)
    ran = Run.objects.filter(state="succeeded").count()
    wait_until(lambda: Run.objects.filter(state="succeeded").count() > ran + JOBS)
    for node in nodes:
        node.stop()

    for job in Job.objects.filter(id__startswith="job-"):
        assert_covered_once(job)
        in_force = versions(job)
        assert len(in_force) == CHANGES + 3
        rows = Run.objects.filter(job_key=job.pk, attempt=1).order_by("scheduled_at")
        for run in rows:
            is_left_out = run.reason_code == "left_out_by_calendar"
            assert run.state == "skipped" if is_left_out else run.state != "skipped" or run.reason
        assert is_in_order([entry(str(run.reason)) for run in rows], in_force)
