from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scheduler.models import Job, Run
from scheduler.services import jobs, runs
from tests import pgbouncer
from tests.pgbouncer import Pooler
from tests.postgres import Cluster
from tests.scenarios.site import Site, accounted_fire_times
from tests.waiting import wait_until

SECOND = timedelta(seconds=1)
EVERY_SECOND = {"type": "interval", "seconds": 1}

if pgbouncer.PROGRAM is None and os.environ.get("CI") != "true":
    pytest.skip(pgbouncer.MISSING, allow_module_level=True)


@pytest.fixture
def pooler(cluster: Cluster, tmp_path: Path) -> Iterator[Pooler]:
    assert pgbouncer.PROGRAM is not None, pgbouncer.MISSING
    directory = Path("/tmp") / f"pooler-{os.getpid()}-{tmp_path.name}"  # where the pooler's own user may go
    directory.mkdir()
    with Pooler(cluster, directory=directory) as pooler:
        yield pooler


class TestNodesBehindAPoolerInTransactionMode:
    @pytest.mark.parametrize("has_direct_way", [True, False], ids=["with a direct way", "without a direct way"])
    def test_lose_and_double_nothing(self, site: Site, pooler: Pooler, has_direct_way: bool) -> None:
        created = [
            jobs.create(id=f"job-{number}", task="sample.record", trigger=EVERY_SECOND, misfire_grace_time=None)
            for number in range(10)
        ]
        variables = {"DATABASE_URL": pooler.url(site.url)}
        if has_direct_way:
            variables["DATABASE_URL_SYNC"] = site.url
        nodes = [site.start_node("--threads", "3", **variables) for _ in range(2)]
        site.began("job-9", count=4, timeout=40)

        nodes[0].kill()
        before = len(site.executions("job-9"))
        site.began("job-9", count=before + 3, timeout=40)
        nodes[1].stop()

        for job in created:
            first = datetime.fromisoformat(job.trigger["start_at"])
            assert_nothing_lost(site, job, first)

    def test_hear_of_changes_by_polling_alone(self, site: Site, pooler: Pooler) -> None:
        node = site.start_node(DATABASE_URL=pooler.url(site.url), SCHEDULER_POLL_SECONDS="1")

        job = jobs.create(task="governed.listen", trigger={"type": "date", "run_at": "2100-01-01T00:00:00Z"})
        run = jobs.run_now(job=job)
        wait_until(lambda: Run.objects.filter(pk=run.pk, state="running").exists())
        runs.cancel(run=run)

        wait_until(lambda: Run.objects.filter(pk=run.pk, state="cancelled").exists(), 30)
        node.stop()


def assert_nothing_lost(site: Site, job: Job, first: datetime) -> None:
    """Every fire time is covered once, and no body began twice; what the killed node had begun is interrupted."""
    found = accounted_fire_times(job.pk, every=SECOND)
    expected = Counter(first + number * SECOND for number in range(len(found)))
    assert found == expected
    assert set(Counter(execution.run_id for execution in site.executions(job.pk)).values()) == {1}
    assert Run.objects.filter(job_key=job.pk, state="interrupted").count() <= 1
