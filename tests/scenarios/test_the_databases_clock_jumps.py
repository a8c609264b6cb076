from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from scheduler.models import Node, Run
from scheduler.services import jobs
from tests.postgres import NO_CLOCK, Cluster, clock_library
from tests.scenarios.site import Site, connected_to
from tests.scenarios.ticking import assert_nothing_lost_or_doubled, every_second
from tests.waiting import wait_until

HOUR = 3600
FORGIVEN_SECONDS = 20
PATIENT = {"SCHEDULER_LEASE_SECONDS": "16", "SCHEDULER_REAP_AFTER_SECONDS": f"{FORGIVEN_SECONDS}"}
"""On a busy machine a heartbeat may be late by more than the quickest settings forgive."""

if clock_library() is None and os.environ.get("CI") != "true":
    pytest.skip(NO_CLOCK, allow_module_level=True)


@pytest.fixture
def cluster_with_a_clock(prepared: Path) -> Iterator[Cluster]:
    assert clock_library() is not None, NO_CLOCK
    with Cluster(copy_of=prepared, settings={"fsync": "off"}, has_clock=True) as cluster:
        yield cluster


class TestAnHourForthAndBack:
    def test_doubles_nothing_storms_nobody_and_gives_up_no_node(
        self, cluster_with_a_clock: Cluster, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        cluster = cluster_with_a_clock
        site = Site(url=cluster.url("learning"), directory=tmp_path)
        with django_db_blocker.unblock(), connected_to(site.url):
            created = [every_second(f"job-{number}") for number in range(5)]
            nodes = [site.start_node(**PATIENT) for _ in range(3)]
            site.began("job-4", count=3)
            before = Run.objects.count()

            cluster.set_clock(ahead_seconds=HOUR)
            for node in nodes:
                node.printed("scheduler.clock.jumped")
                node.printed("scheduler.clock.skewed")
            site.began("job-4", count=len(site.executions("job-4")) + 3)

            # Most of an hour of fire times is one run for each job, or none for those whose last one went on.
            jumps = Run.objects.filter(coalesced__gt=HOUR / 2).values_list("job_key", flat=True)
            wait_until(lambda: len(jumps.all()) >= len(created))
            assert sorted(jumps.all()) == [job.pk for job in created]
            assert Run.objects.count() < before + len(created) * HOUR / 2

            cluster.set_clock(ahead_seconds=0)
            for node in nodes:
                node.printed_more_than("scheduler.clock.jumped", count=1)
            # What is due in an hour by this clock waits; what people ask for, and what is new, does not.
            jobs.run_now(job=created[0])
            site.run("job-0", state="succeeded", kind="manual")
            every_second("new")
            site.began("new", count=3)

            cluster.set_clock(ahead_seconds=HOUR)
            site.began("job-4", count=len(site.executions("job-4")) + 3)
            for node in nodes:
                node.printed_more_than("scheduler.clock.jumped", count=2)
            site.began("job-4", count=len(site.executions("job-4")) + FORGIVEN_SECONDS + 2)
            # By now everybody judges everybody again.
            assert not Node.objects.exclude(state="running").exists()
            for node in nodes:
                node.stop()

            for job in created:
                assert_nothing_lost_or_doubled(site, job)
            assert not Run.objects.active().filter(node__isnull=False).exists()
            assert not Run.objects.filter(attempt__gt=1).exists()
            site.close()
            connection.close()
