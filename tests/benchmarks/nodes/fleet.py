"""A server, and nodes on it. ``with Fleet() as fleet:`` starts the server and ends everything."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from tests.postgres import Cluster

CHECKOUT = Path(__file__).resolve().parents[3]

_PATIENCE_SECONDS = 120.0


class Fleet:
    """Nodes have the default settings of the platform, but for ``variables``."""

    def __init__(self, *, settings: dict[str, Any] | None = None, variables: dict[str, str] | None = None) -> None:
        self._server = {"max_connections": 100, "shared_buffers": "128MB", **(settings or {})}
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SCHEDULER_", "POSTGRES_", "DATABASE_", "DJANGO_"))
        }
        self.variables = {
            **kept,
            "SECRET_KEY": "only for a benchmark",
            "DJANGO_SETTINGS_MODULE": "tests.benchmarks.nodes.settings",
            "LOG_LEVEL": "WARNING",
            **(variables or {}),
        }
        self.nodes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Fleet:
        self._folder = tempfile.TemporaryDirectory(prefix="fleet-")
        self.output = Path(self._folder.name) / "nodes.log"
        self.cluster = Cluster(settings=self._server)
        self.cluster.start()
        self.cluster.psql("CREATE DATABASE fleet")
        self.variables["DATABASE_URL"] = self.cluster.url("fleet")
        os.environ.update(self.variables)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        self._session = self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        from django.db import connections

        self.end()
        connections.close_all()
        self._session.close()
        self.cluster.remove()
        self._folder.cleanup()

    def launch(self, *arguments: str, count: int = 1) -> list[subprocess.Popen[bytes]]:
        """Start nodes, and return when each has registered itself."""
        before = self._registered()
        with self.output.open("ab") as file:
            started = [
                subprocess.Popen(
                    [sys.executable, "manage.py", "runscheduler", "--no-alerts", *arguments],
                    cwd=CHECKOUT,
                    env=self.variables,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
                for _ in range(count)
            ]
        self.nodes += started
        self.wait_for(lambda: self._registered() >= before + count, every=0.2)
        return started

    def _registered(self) -> int:
        ((count,),) = self.query("SELECT count(*) FROM scheduler_node")
        return int(count)

    def end(self) -> None:
        """Stop all nodes."""
        for node in self.nodes:
            node.terminate()
        for node in self.nodes:
            try:
                node.wait(30)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        self.nodes.clear()

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._session.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, condition: Any, *, every: float = 0.25, seconds: float = _PATIENCE_SECONDS) -> None:
        """:raises TimeoutError: with the end of the output of the nodes"""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(self.output.read_text()[-2000:])
            time.sleep(every)

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time that the nodes with their children and the server have used until now."""
        nodes = sum(_used(psutil.Process(node.pid)) for node in self.nodes if node.poll() is None)
        return {"nodes": nodes, "server": _used(psutil.Process(self.cluster.pid))}

    def _connect(self) -> Any:
        session = psycopg2.connect(self.variables["DATABASE_URL"], application_name="benchmark")
        session.autocommit = True
        return session


def _used(process: psutil.Process) -> float:
    """Return the seconds of a process, of its living children, and of those that it has waited for."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
