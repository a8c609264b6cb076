"""
A stopped server with a migrated database, made once for all processes of a run of tests.

To copy its files takes a part of a second. To create and migrate a database takes ten.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path

import pytest

from tests.postgres import Cluster

DATABASE = "learning"
"""The database with the tables, in the copies too."""


def folder_for(factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of the server, for ``copy_of``. The first process that wants it makes it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "prepared-server"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _make(folder)
    return folder


def _make(folder: Path) -> None:
    from tests.scenarios.site import migrate  # campaigns, which import this module, set Django up later

    with Cluster() as cluster:
        cluster.psql(f"CREATE DATABASE {DATABASE}")
        migrate(cluster.url(DATABASE))
        cluster.stop()
        draft = folder.with_suffix(".new")
        subprocess.run(["cp", "-a", str(cluster.data), str(draft)], check=True)
        draft.rename(folder)
