from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from scheduler.models import Run
from scheduler.services import jobs
from tests.postgres import Cluster
from tests.scenarios.site import (
    CALM,
    NodeProcess,
    Site,
    connected_to,
    environment,
)
from tests.scenarios.ticking import assert_covered_once, every_second
from tests.waiting import wait_until

NOT_SOON = {"type": "interval", "days": 1}

FULL = Path("/dev/full")
"""What is written here finds no space left."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 MB."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("Only root can mount the small disk that this test fills.")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m,mode=755", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"This machine lets nobody mount a file system: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.fixture
def cluster_on_it(small_disk: Path, prepared: Path) -> Iterator[Cluster]:
    settings = {"max_wal_size": "32MB", "min_wal_size": "32MB", "shared_buffers": "16MB"}
    with Cluster(copy_of=prepared, settings=settings, parent=small_disk) as cluster:
        yield cluster


def fill(file: Path) -> None:
    """Write until nothing more can be written."""
    with file.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(1_000_000))


class TestAFullDiskOfTheServer:
    def test_is_outlived_and_loses_nothing(
        self, cluster_on_it: Cluster, small_disk: Path, tmp_path: Path, django_db_blocker: Any
    ) -> None:
        site = Site(url=cluster_on_it.url("learning"), directory=tmp_path)
        with django_db_blocker.unblock(), connected_to(site.url):
            # What cannot be compressed fills the log of the server within seconds.
            job = every_second("every-second", task="sample.give", kwargs={"value": os.urandom(20_000).hex()})
            connection.close()
            node = site.start_node()
            filler = small_disk / "filler"
            with pytest.raises(OSError, match="No space left"):
                fill(filler)

            node.printed("scheduler.tick.waits_for_the_database")
            filler.unlink()
            done = node.output.count("scheduler.run.finished")

            def goes_on() -> bool:
                if not cluster_on_it.is_running:
                    cluster_on_it.start()  # a server that cannot write its log ends itself, at once or later
                return node.output.count("scheduler.run.finished") > done + 3

            wait_until(goes_on, every=0.5)
            node.stop()
            assert_covered_once(job)
            assert not Run.objects.active().filter(node__isnull=False).exists()
            site.close()
            connection.close()


@pytest.mark.skipif(not FULL.exists(), reason="This system has no /dev/full.")
class TestAFullDiskOfTheNode:
    def test_costs_log_lines_and_no_run(self, site: Site) -> None:
        node = NodeProcess("--processes", "0", variables=environment(site.url, **CALM), output=FULL)
        jobs.run_now(job=jobs.create(id="job", task="sample.give", trigger=NOT_SOON, kwargs={"value": 1}))

        try:
            site.run("job", state="succeeded")
            node.send(signal.SIGTERM)
            wait_until(lambda: site.node_of(node).state == "stopped")
        finally:
            node.kill()
