from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.models import Run
from scheduler.services import jobs, runs
from tests import pgbouncer
from tests.pgbouncer import Pooler
from tests.postgres import Cluster
from tests.scenarios.site import Site
from tests.scenarios.ticking import assert_begun_once, assert_covered_once, every_second
from tests.waiting import wait_until

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
        created = [every_second(f"job-{number}") for number in range(10)]
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
            assert_covered_once(job)
            assert_begun_once(site, job)
            # What the killed node had begun.
            assert Run.objects.filter(job_key=job.pk, state="interrupted").count() <= 1

    def test_hear_of_changes_by_polling_alone(self, site: Site, pooler: Pooler) -> None:
        node = site.start_node(DATABASE_URL=pooler.url(site.url), SCHEDULER_POLL_SECONDS="1")

        job = jobs.create(task="governed.listen", trigger={"type": "date", "run_at": "2100-01-01T00:00:00Z"})
        run = jobs.run_now(job=job)
        wait_until(lambda: Run.objects.filter(pk=run.pk, state="running").exists())
        runs.cancel(run=run)

        wait_until(lambda: Run.objects.filter(pk=run.pk, state="cancelled").exists(), 30)
        node.stop()
