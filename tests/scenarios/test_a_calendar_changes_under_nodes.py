"""A calendar that people change again and again while several nodes run the jobs that use it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from scheduler.models import Calendar, Change, Job, Run
from scheduler.services import calendars, jobs
from scheduler.store.clock import database_now
from tests.scenarios.site import Site
from tests.scenarios.ticking import EVERY_SECOND, assert_covered_once
from tests.waiting import wait_until

JOBS, NODES, CHANGES = 12, 3, 16
_SECOND = timedelta(seconds=1)
_AROUND = timedelta(seconds=5)
"""A row may be planned by the calendar of a moment earlier or later than it is written."""


def leaving_out(now: datetime) -> str:
    """A rule for some hours around now, or one for a day that is over: the digests differ each time."""
    begin, end = now - timedelta(hours=1), now + timedelta(hours=2)
    return f"{begin:%Y-%m-%d %H:%M}..{end:%Y-%m-%d %H:%M} Outage"


def change(calendar: Calendar, number: int) -> None:
    rule = (
        f"{2000 + number}-01-01 Long ago" if number % 2 else leaving_out(database_now() + number * timedelta(minutes=1))
    )
    calendars.update(calendar=calendar, rules=[rule], actor="ada")


def periods(job: Job) -> list[tuple[datetime, bool]]:
    """Return since when the job's trigger left everything out, or nothing, by its history."""
    rules = {row.digest: row.content["rules"] for row in calendars.CalendarVersion.objects.all()}
    found = []
    for each in Change.objects.filter(job_key=job.pk).order_by("id"):
        trigger: dict[str, Any] = each.definition["trigger"]
        found.append((each.changed_at, "Outage" in rules[trigger["calendars"]["off"]][0]))
    return found


def allowed(found: Sequence[tuple[datetime, bool]], at: datetime) -> set[bool]:
    """The answers of the calendar around an instant: one, or both where it changed."""
    before = [answer for since, answer in found if since <= at - _AROUND]
    return {before[-1] if before else found[0][1]} | {each for since, each in found if abs(since - at) < _AROUND}


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
    nodes.pop().kill()
    change(calendar, CHANGES)
    threading.Event().wait(9)
    change(calendar, CHANGES + 1)
    ran = Run.objects.filter(state="succeeded").count()
    wait_until(lambda: Run.objects.filter(state="succeeded").count() > ran + JOBS)
    for node in nodes:
        node.stop()

    for job in Job.objects.filter(id__startswith="job-"):
        assert_covered_once(job)
        found = periods(job)
        assert len(found) == CHANGES + 3
        for run in Run.objects.filter(job_key=job.pk, attempt=1):
            is_left_out = str(run.reason) == "off: Outage"
            assert is_left_out in allowed(found, run.created_at), (run.scheduled_at, run.created_at, run.reason)
            assert run.state == "skipped" if is_left_out else run.state != "skipped" or run.reason
    assert Run.objects.filter(reason_code="left_out_by_calendar").count() > JOBS
