"""
A small piece of every campaign, so that each change is tried against each kind of fault.

The figures that are published come from the whole campaigns: see docs/evidence.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import Cluster
from tests.scenarios.chaos.world import PREPARED
from tests.scenarios.site import CHECKOUT, migrate

QUICK = {
    "kill": 10,
    "stop": 8,
    "pause": 4,
    "pg": 4,
    "net": 10,
    "edit": 200,
    "poison": 40,
    "flood": 3000,
    "alerts": 8,
    "outage": 2000,
    "enqueue": 5,
    "celery": 4,
    "celery-away": 8,
    "odd": 9,
    "operate": 12,
    "masses": 10,
}


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of a cluster with a migrated database: one for all campaigns of all workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "prepared-for-chaos"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with Cluster() as cluster:
                cluster.psql("CREATE DATABASE chaos")
                migrate(cluster.url("chaos"))
                cluster.stop()
                draft = folder.with_suffix(".new")
                subprocess.run(["cp", "-a", str(cluster.data), str(draft)], check=True)
                draft.rename(folder)
    return folder


class TestACampaign:
    @pytest.mark.timeout(400)
    @pytest.mark.parametrize(("name", "cycles"), QUICK.items())
    def test_breaks_no_promise(self, name: str, cycles: int, tmp_path: Path, prepared: Path) -> None:
        figures = tmp_path / "figures.json"
        variables = {key: value for key, value in os.environ.items() if not key.startswith("DATABASE_URL")}
        variables[PREPARED] = str(prepared)

        done = subprocess.run(
            [sys.executable, "-m", "tests.scenarios.chaos", name, "--cycles", str(cycles), "--json", str(figures)],
            cwd=CHECKOUT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=390,
        )

        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        facts = json.loads(figures.read_text())
        assert facts["good"]
        assert facts["verdict"]["fire_times"] > 0
