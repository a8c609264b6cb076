"""Jobs that fire each second, and whether each of their seconds is accounted for."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.scenarios.site import Site

EVERY_SECOND = {"type": "interval", "seconds": 1}
_SECOND = timedelta(seconds=1)


def every_second(id: str, **changes: Any) -> Job:
    """Create a job that leaves a trace each second, however late it is."""
    given = {"task": "sample.record", "trigger": EVERY_SECOND, "misfire_grace_time": None, **changes}
    return jobs.create(id=id, **given)


def assert_covered_once(job: Job) -> None:
    """Every fire time, enumerated here, is covered by one row of the ledger; further attempts do not count."""
    found: Counter[datetime] = Counter()
    for run in Run.objects.filter(job_key=job.pk, attempt=1, kind="scheduled"):
        moment = run.covers_from or run.scheduled_at
        while moment <= run.scheduled_at:
            found[moment] += 1
            moment += _SECOND
    expected, moment = [], datetime.fromisoformat(job.trigger["start_at"])
    while moment <= max(found):
        expected.append(moment)
        moment += _SECOND
    assert found == Counter(expected)


def assert_begun_once(site: Site, job: Job) -> None:
    """No body of a run began twice."""
    executed = Counter(execution.run_id for execution in site.executions(job.pk))
    assert set(executed.values()) == {1}


def assert_nothing_lost_or_doubled(site: Site, job: Job) -> None:
    """Besides, every success is that of a body."""
    assert_covered_once(job)
    assert_begun_once(site, job)
    executed = {execution.run_id for execution in site.executions(job.pk)}
    assert set(Run.objects.filter(job_key=job.pk, state="succeeded").values_list("pk", flat=True)) <= executed
