from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from scheduler.models import Run
from scheduler.services import jobs
from tests.postgres import Cluster, StopMode
from tests.scenarios.site import Site
from tests.scenarios.ticking import assert_nothing_lost_or_doubled, every_second
from tests.waiting import wait_until


class TestARestartOfTheServer:
    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_is_survived_by_a_node_that_runs(
        self, site: Site, cluster: Cluster, tmp_path: Path, mode: StopMode
    ) -> None:
        release = tmp_path / "release"
        names = ("one", "two", "three")
        created = [every_second(name) for name in names]
        long = jobs.create(
            id="long", task="sample.hold", trigger={"type": "interval", "days": 1}, kwargs={"until": str(release)}
        )
        jobs.run_now(job=long)
        node = site.start_node("--threads", "4")
        site.began("long")
        site.began("three", count=2)

        connection.close()  # the pool of this process looks at it before it gives it out again
        cluster.stop(mode)
        release.touch()  # it ends while nobody can record it
        wait_until(lambda: site.executions("long")[0].ended)
        node.printed("scheduler.heartbeat.failed")
        cluster.start()

        before = len(site.executions("three"))
        site.began("three", count=before + 3)
        wait_until(lambda: Run.objects.filter(job_key="long").exclude(state="running").exists())
        node.stop()

        (run,) = Run.objects.filter(job_key="long")
        assert (run.state, run.attempt) == ("succeeded", 1)
        assert not Run.objects.active().filter(node__isnull=False).exists()
        for job in created:
            assert_nothing_lost_or_doubled(site, job)
