from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from scheduler.models import Run
from scheduler.services import jobs
from tests.postgres import Cluster
from tests.scenarios.site import Site, connected_to
from tests.scenarios.ticking import assert_begun_once, assert_covered_once, every_second
from tests.waiting import wait_until


@pytest.fixture
def primary(prepared: Path) -> Iterator[Cluster]:
    with Cluster(copy_of=prepared) as cluster:
        yield cluster


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Cluster]:
    """A standby that every commit waits for."""
    copy = primary.standby()
    primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.psql("SELECT pg_reload_conf()")
    wait_until(lambda: primary.psql("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
    yield copy
    copy.remove()


def both(primary: Cluster, standby: Cluster) -> str:
    """Return the address of whichever of the two takes writes."""
    return (
        f"postgresql://{primary.user}@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/learning"
        "?target_session_attrs=read-write"
    )


def catch_up(primary: Cluster) -> None:
    """Wait until the standby has all that was committed until now."""
    ((written,),) = primary.psql("SELECT pg_current_wal_lsn() - '0/0'")
    reached = "SELECT max(flush_lsn) - '0/0' FROM pg_stat_replication"
    wait_until(lambda: primary.psql(reached)[0][0] >= written)


class TestAFailoverToASynchronousStandby:
    def test_loses_and_doubles_nothing(
        self, primary: Cluster, standby: Cluster, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        site = Site(url=both(primary, standby), directory=tmp_path)
        with django_db_blocker.unblock(), connected_to(site.url):
            created = [every_second(f"job-{number}") for number in range(5)]
            nodes = [site.start_node() for _ in range(2)]
            site.began("job-4", count=3)

            connection.close()
            primary.kill()
            standby.promote()

            before = len(site.executions("job-4"))
            site.began("job-4", count=before + 3)
            for node in nodes:
                node.stop()
            for job in created:
                assert_covered_once(job)
                assert_begun_once(site, job)
            assert not Run.objects.active().filter(node__isnull=False).exists()
            site.close()
            connection.close()


@pytest.fixture
def late_standby(primary: Cluster) -> Iterator[Cluster]:
    """A standby that no commit waits for, and that does not follow any more once it was stopped."""
    copy = primary.standby()
    wait_until(lambda: primary.psql("SELECT sync_state FROM pg_stat_replication") == [("async",)])
    yield copy
    copy.remove()


class TestAFailoverToAnAsynchronousStandby:
    def test_plans_anew_what_the_standby_never_heard_of_and_doubles_nothing_else(
        self, primary: Cluster, late_standby: Cluster, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        site = Site(url=both(primary, late_standby), directory=tmp_path)
        with django_db_blocker.unblock(), connected_to(site.url):
            each_time = {"coalesce": False, "max_instances": 1000}  # a run for the last of them would be a new time
            created = [every_second(f"job-{number}", **each_time) for number in range(20)]
            nodes = [site.start_node() for _ in range(2)]
            site.began("job-19", count=3)

            heard = set(Run.objects.filter(state="succeeded").values_list("job_key", "scheduled_at"))
            catch_up(primary)
            late_standby.stop()
            nodes.append(site.start_node())  # the standby never hears of this node either
            site.began("job-19", count=len(site.executions("job-19")) + 3)
            connection.close()
            primary.kill()
            killed_at = datetime.now(UTC)
            late_standby.start()
            late_standby.promote()

            nodes[2].printed("scheduler.node.returned")
            site.began("job-19", count=len(site.executions("job-19")) + 3)
            for node in nodes:
                node.stop()
            for job in created:
                assert_covered_once(job)
            times = Counter((item.job, item.scheduled_at) for item in site.executions())
            twice = {each for each, count in times.items() if count == 2}
            assert twice, "Nothing was lost: this proves nothing."
            assert not heard & twice
            assert max(moment for _, moment in twice) <= killed_at
            assert max(times.values()) == 2
            bodies = {(item.run_id, item.job, item.scheduled_at) for item in site.executions() if item.ended}
            recorded = Run.objects.filter(state="succeeded").values_list("pk", "job_key", "scheduled_at")
            assert set(recorded) <= bodies  # no success is that of another body
            assert not Run.objects.active().filter(node__isnull=False).exists()
            site.close()
            connection.close()

    def test_takes_no_body_that_outlived_its_run_for_another(
        self, primary: Cluster, late_standby: Cluster, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        site = Site(url=both(primary, late_standby), directory=tmp_path)
        with django_db_blocker.unblock(), connected_to(site.url):
            job = jobs.create(
                id="long",
                task="sample.hold",
                trigger={"type": "interval", "days": 9},
                kwargs={"until": f"{tmp_path}/1"},
            )
            node = site.start_node()

            catch_up(primary)  # with the job and the node
            late_standby.stop()
            numbers = "SELECT nextval(pg_get_serial_sequence('scheduler_run', 'id')) FROM generate_series(1, 99)"
            primary.psql(numbers, database="learning")  # more than a sequence is ahead of what its standby is told
            lost = jobs.run_now(job=job)
            site.began("long")
            connection.close()
            primary.kill()
            late_standby.start()
            late_standby.promote()

            node.printed("scheduler.database.forgot")
            other = jobs.run_now(job=job)
            (tmp_path / "1").touch()
            node.printed("scheduler.runs.outcome_too_late")
            site.run("long", state="succeeded", pk=other.pk)
            node.stop()

            assert other.pk > lost.pk
            assert list(Run.objects.values_list("pk", flat=True)) == [other.pk]
            site.close()
            connection.close()
