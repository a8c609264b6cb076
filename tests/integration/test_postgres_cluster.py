from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest

from tests.postgres import Cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(settings={"max_connections": 23}, password="p@ss/word%") as cluster:
        yield cluster


class TestCluster:
    def test_runs_the_version_and_settings_that_were_asked_for(self, cluster: Cluster) -> None:
        assert cluster.psql("SHOW max_connections") == [("23",)]
        assert cluster.psql("SHOW server_version_num")[0][0].startswith("18")

    @pytest.mark.parametrize("mode", ["fast", "immediate"])
    def test_keeps_what_was_committed_over_a_restart(self, cluster: Cluster, mode: str) -> None:
        cluster.psql("DROP TABLE IF EXISTS kept")
        cluster.psql("CREATE TABLE kept AS SELECT 7 AS number")

        cluster.restart(mode)  # type: ignore[arg-type]

        assert cluster.psql("SELECT number FROM kept") == [(7,)]

    def test_is_not_running_after_it_was_stopped(self, cluster: Cluster) -> None:
        cluster.stop()
        try:
            assert not cluster.is_running
            with pytest.raises(psycopg2.OperationalError):
                cluster.psql("SELECT 1")
        finally:
            cluster.start()

    def test_asks_for_the_password(self, cluster: Cluster) -> None:
        wrong = cluster.url().replace("p%40ss", "wrong")

        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(wrong)
