"""Declared jobs that a deployment changes while nodes run them: each fire time is in the ledger once, and on time."""

from __future__ import annotations

from scheduler.core.declarations import Declaration
from scheduler.models import Job, Run
from scheduler.services import declarations
from scheduler.services.declarations.collecting import Collected
from tests.scenarios.site import Site
from tests.scenarios.ticking import EVERY_SECOND, assert_covered_once
from tests.waiting import wait_until

TICKING, DAILY = 20, 980
RELEASES = 4


def release(number: int) -> Collected:
    """Every job changes in each release; the trigger of those that tick stays."""
    ticking = {"task": "sample.nothing", "trigger": EVERY_SECOND, "misfire_grace_time": None, "priority": number}
    daily = {"task": "sample.nothing", "trigger": {"type": "interval", "minutes": 1440 + number}}
    found = [
        Declaration(key=f"{kind}-{each}", definition=definition, source="code", origin="here")
        for kind, definition, count in (("tick", ticking, TICKING), ("daily", daily, DAILY))
        for each in range(count)
    ]
    return Collected(declarations=tuple(found), errors=())


def test_no_fire_time_is_lost_or_late(site: Site) -> None:
    declarations.apply(collected=release(0))
    node = site.start_node()
    wait_until(lambda: Run.objects.filter(state="succeeded").exists())

    for number in range(1, RELEASES):
        done = declarations.apply(collected=release(number))
        assert sum(step.has_changes for step in done.steps) == TICKING + DAILY
        ticked = Run.objects.filter(job_key="tick-0").count()
        wait_until(lambda: Run.objects.filter(job_key="tick-0").count() > ticked)  # noqa: B023 - called at once
    ticking = Job.objects.filter(djangojob_ptr__id__startswith="tick-")
    wait_until(lambda: {*ticking.values_list("pk", flat=True)} <= {*Run.objects.values_list("job_key", flat=True)})
    node.stop()

    assert set(ticking.values_list("priority", flat=True)) == {RELEASES - 1}
    for job in ticking:
        assert_covered_once(job)
    begun = Run.objects.exclude(state="queued", node=None)  # the node gives back what it has not begun when it stops
    assert not begun.exclude(state__in=("succeeded", "skipped")).exists()
