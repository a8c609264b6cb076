from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connection

from scheduler.models import Node, Run
from tests.postgres import Cluster
from tests.scenarios.site import Site, connected_to
from tests.scenarios.ticking import assert_nothing_lost_or_doubled, every_second
from tests.waiting import wait_until


@pytest.fixture
def small_server(prepared: Path) -> Iterator[Cluster]:
    with Cluster(copy_of=prepared, settings={"fsync": "off", "max_connections": 25}) as cluster:
        yield cluster


class Hog:
    """Takes every connection that is to be had, also those that become free."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._taken: list[Any] = []

    def take_all(self) -> None:
        while self._take_one():
            pass

    def _take_one(self) -> bool:
        try:
            self._taken.append(psycopg2.connect(self._url))
        except psycopg2.OperationalError:
            return False
        return True

    def end_sessions(self, purpose: str) -> int:
        """End what nodes use for this, and take the places."""
        with self._taken[0].cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity WHERE application_name = %s",
                [f"scheduler {purpose}"],
            )
            ((ended,),) = cursor.fetchall()
        self._taken[0].rollback()
        self.take_all()
        return int(ended)

    def let_go(self, count: int | None = None) -> None:
        """Give back so many connections, or all."""
        for _ in range(len(self._taken) if count is None else count):
            self._taken.pop().close()


@pytest.fixture
def site(small_server: Cluster, tmp_path: Path, django_db_blocker: Any) -> Iterator[Site]:
    site = Site(url=small_server.url("learning"), directory=tmp_path)
    with django_db_blocker.unblock(), connected_to(site.url):
        yield site
        site.close()
        connection.close()


class TestAServerWithoutAFreeConnection:
    def test_stops_no_node_and_loses_nothing(self, site: Site) -> None:
        created = [every_second(f"job-{number}") for number in range(5)]
        connection.close()
        nodes = [site.start_node() for _ in range(2)]
        site.began("job-4", count=2)
        hog = Hog(site.url)

        hog.take_all()
        site.began("job-4", count=len(site.executions("job-4")) + 3)  # by the sessions that nodes have
        nodes.append(site.launch("--processes", "0", "--wait", "3000"))  # longer than all that follows
        nodes[2].printed("has no connection left")

        def all_say_so() -> bool:
            hog.end_sessions("tick")  # whoever was quick enough to get a place loses it again
            return all("too many clients" in node.output for node in nodes[:2])

        wait_until(all_say_so, every=0.5)
        hog.let_go()

        nodes[2].printed("scheduler.node.started")
        site.began("job-4", count=len(site.executions("job-4")) + 3)
        wait_until(lambda: Node.objects.filter(state="running").count() == 3)
        assert not Node.objects.exclude(state="running").exists()
        for node in nodes:
            node.stop()
        for job in created:
            assert_nothing_lost_or_doubled(site, job)
        assert not Run.objects.filter(attempt__gt=1).exists()

    def test_lets_a_node_wait_that_finds_room_for_some_of_its_sessions(self, site: Site) -> None:
        hog = Hog(site.url)
        hog.take_all()
        hog.let_go(3)

        node = site.launch("--processes", "0", "--wait", "600")
        node.printed("Waiting up to")
        assert "too many clients" in node.output
        hog.let_go()
        node.printed("scheduler.node.started")
        node.stop()

        assert Node.objects.count() == 1  # it announced itself when it could work, and not before
