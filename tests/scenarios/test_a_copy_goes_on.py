"""
A database that was copied by any means goes on: no job is missing, no fire time is lost, and none fires twice.

A node works on the original and stops. The rows are copied, and a node works on the copy.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from openlearn.db import programs
from scheduler.models import Change, Job, Run
from scheduler.services import jobs
from tests.postgres import Cluster
from tests.scenarios.prepared import DATABASE
from tests.scenarios.site import CHECKOUT, Site, connected_to, environment
from tests.scenarios.ticking import assert_begun_once, assert_covered_once, every_second
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("copy")

OURS = ("-t", "scheduler_*", "-t", "django_apscheduler_*")
MADE_BY_MIGRATIONS = ("-T", "scheduler_rule*")


class Copying:
    """Two databases of one server. The second one is empty or migrated, as the means wants it."""

    def __init__(self, *, cluster: Cluster, directory: Path) -> None:
        self.cluster = cluster
        self._file = directory / "dump"

    @property
    def source(self) -> str:
        return self.cluster.url("original")

    @property
    def target(self) -> str:
        return self.cluster.url("copied")

    def make_target(self, *, template: str) -> None:
        """Create the second database: empty, or with the tables."""
        self.cluster.psql(f"CREATE DATABASE copied TEMPLATE {template}")

    def dump(self, *options: str) -> None:
        file = self.cluster.directory / "dump"
        self._run("pg_dump", "-Fc", "-f", str(file), *options, self.source)

    def restore(self, *options: str) -> None:
        file = self.cluster.directory / "dump"
        self._run("pg_restore", "--exit-on-error", "-d", self.target, *options, str(file))

    def contents(self) -> list[str]:
        """Return the entries of the dump that have data, in its order."""
        listed = self._run("pg_restore", "-l", str(self.cluster.directory / "dump"))
        return [line for line in listed.splitlines() if line and not line.startswith(";")]

    def order(self, entries: list[str]) -> str:
        file = self.cluster.directory / "order"
        file.write_text("\n".join(entries))
        file.chmod(0o644)
        return str(file)

    def manage(self, url: str, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=environment(url),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _run(self, program: str, *arguments: str) -> str:
        return str(programs.run(program, *arguments, account=self.cluster.account) or "")


def whole(copying: Copying) -> None:
    """Tables, functions and rows, into an empty database."""
    copying.make_target(template="template1")
    copying.dump()
    copying.restore()


def rows_into_migrated_tables(copying: Copying) -> None:
    copying.make_target(template=DATABASE)
    copying.dump("--data-only", *OURS, *MADE_BY_MIGRATIONS)
    copying.restore("--data-only")


def rows_in_reverse(copying: Copying) -> None:
    """Runs and history before jobs, and children before their parents: with the triggers off."""
    copying.make_target(template=DATABASE)
    copying.dump("--data-only", *OURS, *MADE_BY_MIGRATIONS)
    copying.restore("--data-only", "--disable-triggers", "-L", copying.order(copying.contents()[::-1]))


def fixture(copying: Copying) -> None:
    """By ``dumpdata`` and ``loaddata``."""
    copying.make_target(template=DATABASE)
    file = copying.cluster.directory / "fixture.json"
    copying.manage(copying.source, "dumpdata", "scheduler", "django_apscheduler", "-o", str(file))
    copying.manage(copying.target, "loaddata", str(file))


def subscription(copying: Copying) -> None:
    """By logical replication, which copies rows and no sequence, and which the triggers do not see."""
    copying.make_target(template=DATABASE)
    cluster = copying.cluster
    cluster.psql("DELETE FROM scheduler_rule", database="copied")
    cluster.psql("CREATE PUBLICATION everything FOR ALL TABLES", database="original")
    cluster.psql("SELECT pg_create_logical_replication_slot('copied', 'pgoutput')", database="original")
    tables = cluster.psql(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'scheduler\\_%' "
        "AND tablename NOT LIKE 'django\\_apscheduler\\_%'",
        database="copied",
    )
    cluster.psql(f"TRUNCATE {', '.join(name for (name,) in tables)} CASCADE", database="copied")
    cluster.psql(
        f"CREATE SUBSCRIPTION copied CONNECTION '{copying.source}' PUBLICATION everything "
        "WITH (create_slot = false, slot_name = 'copied')",
        database="copied",
    )
    wait_until(
        lambda: not cluster.psql("SELECT 1 FROM pg_subscription_rel WHERE srsubstate <> 'r'", database="copied"),
    )
    # An edit and a run that come in by replication, not by the first copy.
    with connected_to(copying.source):
        jobs.update(job="edited", priority=7)
        jobs.run_now(job="edited")
    wait_until(lambda: cluster.psql("SELECT 1 FROM scheduler_run WHERE job_key = 'edited'", database="copied"))
    cluster.psql("ALTER SUBSCRIPTION copied DISABLE", database="copied")
    cluster.psql("ALTER SUBSCRIPTION copied SET (slot_name = NONE)", database="copied")
    cluster.psql("DROP SUBSCRIPTION copied", database="copied")


MEANS: tuple[Callable[[Copying], None], ...] = (
    whole,
    rows_into_migrated_tables,
    rows_in_reverse,
    fixture,
    subscription,
)


@pytest.fixture(scope="module")
def server(prepared: Path) -> Iterator[Cluster]:
    settings = {"fsync": "off", "wal_level": "logical", "max_connections": 60}
    with Cluster(copy_of=prepared, settings=settings) as server:
        yield server


@pytest.fixture
def copying(server: Cluster, tmp_path: Path) -> Iterator[Copying]:
    server.psql(f"CREATE DATABASE original TEMPLATE {DATABASE}")
    yield Copying(cluster=server, directory=tmp_path)
    server.psql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
    for name in ("copied", "original"):
        server.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def site(copying: Copying, tmp_path: Path, django_db_blocker: pytest.FixtureRequest) -> Iterator[Site]:
    site = Site(url=copying.source, directory=tmp_path)
    with django_db_blocker.unblock(), connected_to(site.url):  # type: ignore[attr-defined]
        yield site
        site.close()


def soon() -> datetime:
    return timezone.now().replace(microsecond=0) + timedelta(seconds=5)


def make_tick() -> tuple[datetime, Job]:
    start = soon()
    return start, every_second("tick", trigger={"type": "interval", "seconds": 1, "start_at": start.isoformat()})


def make_jobs() -> Job:
    # Programs that cut instants to milliseconds leave the ledger's rows so too: this job has none that they would cut.
    # It begins later than its creation ends, so that its first fire time is the one that it starts at.
    start, tick = make_tick()
    while tick.next_run_time != start:
        jobs.remove(job=tick)
        start, tick = make_tick()
    every_second("once", trigger={"type": "date", "run_at": soon().isoformat()})
    jobs.create(id="later", task="sample.record", trigger={"type": "interval", "seconds": 30})
    jobs.create(id="edited", task="sample.record", trigger={"type": "interval", "hours": 5})
    jobs.update(job="edited", priority=3, actor="anna")
    jobs.create(id="paused", task="sample.record", trigger={"type": "interval", "seconds": 1})
    jobs.pause(job="paused", actor="anna", reason="Too expensive")
    return tick


def definitions() -> list[object]:
    columns = ("pk", "version", "priority", "state", "trigger", "state_changed_by", "needs_inspection")
    return list(Job.objects.order_by("pk").values_list(*columns))


def history() -> list[object]:
    return list(Change.objects.order_by("pk").values_list("pk", "job_key", "version", "action", "via", "actor"))


class TestACopy:
    @pytest.mark.parametrize("means", MEANS, ids=lambda means: means.__name__)
    def test_goes_on_where_the_original_stopped(
        self, means: Callable[[Copying], None], copying: Copying, site: Site
    ) -> None:
        tick = make_jobs()
        node = site.start_node()
        site.began("tick", count=3)
        site.run("once", state="succeeded")
        node.stop()

        means(copying)
        with connected_to(copying.source):
            expected = definitions(), history(), Run.objects.count()
        with connected_to(copying.target):
            assert (definitions(), history(), Run.objects.count()) == expected
            copying.manage(copying.target, "init_scheduler_db")
            began = len(site.executions("tick"))
            node = site.start_node(DATABASE_URL=copying.target)
            site.began("tick", count=began + 3)
            jobs.update(job="edited", name="Edited in the copy")
            node.stop()

            assert_covered_once(tick)
            assert_begun_once(site, tick)
            assert len(site.executions("once")) == 1
            assert site.executions("paused") == []
            assert Change.objects.latest("pk").job_key == "edited"
            assert {*Job.objects.values_list("pk", flat=True)} >= {"tick", "once", "edited", "paused"}
