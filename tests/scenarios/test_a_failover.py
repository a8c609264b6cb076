from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from scheduler.models import Run
from scheduler.services import jobs
from tests.postgres import Cluster
from tests.scenarios.site import Site, accounted_fire_times, connected_to, migrate
from tests.waiting import wait_until

SECOND = timedelta(seconds=1)


@pytest.fixture
def primary() -> Iterator[Cluster]:
    with Cluster() as cluster:
        cluster.psql("CREATE DATABASE learning")
        migrate(cluster.url("learning"))
        yield cluster


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Cluster]:
    """A standby that every commit waits for."""
    copy = primary.standby()
    primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.psql("SELECT pg_reload_conf()")
    wait_until(lambda: primary.psql("SELECT sync_state FROM pg_stat_replication") == [("sync",)], 30)
    yield copy
    copy.remove()


class TestAFailoverToASynchronousStandby:
    def test_loses_and_doubles_nothing(
        self, primary: Cluster, standby: Cluster, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        url = (
            f"postgresql://{primary.user}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/learning"
            "?target_session_attrs=read-write"
        )
        site = Site(url=url, directory=tmp_path)
        with django_db_blocker.unblock(), connected_to(url):
            created = [
                jobs.create(
                    id=f"job-{number}",
                    task="sample.record",
                    trigger={"type": "interval", "seconds": 1},
                    misfire_grace_time=None,
                )
                for number in range(5)
            ]
            nodes = [site.start_node() for _ in range(2)]
            site.began("job-4", count=3, timeout=40)

            connection.close()
            primary.kill()
            standby.promote()

            before = len(site.executions("job-4"))
            site.began("job-4", count=before + 3, timeout=60)
            for node in nodes:
                node.stop()
            for job in created:
                found = accounted_fire_times(job.pk, every=SECOND)
                first = datetime.fromisoformat(job.trigger["start_at"])
                assert found == Counter(first + number * SECOND for number in range(len(found)))
                assert set(Counter(item.run_id for item in site.executions(job.pk)).values()) == {1}
            assert not Run.objects.active().filter(node__isnull=False).exists()
            site.close()
            connection.close()
