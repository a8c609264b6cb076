"""A PostgreSQL of one's own, the nodes that work on it, and a record of what was done to them."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from tests.postgres import Cluster
from tests.scenarios.chaos import effects, watch
from tests.scenarios.chaos.load import Spec
from tests.scenarios.prepared import DATABASE
from tests.waiting import PATIENCE_SECONDS, wait_until, whole_lines

CHECKOUT = Path(__file__).resolve().parents[3]

QUICK = {
    "SCHEDULER_HEARTBEAT_SECONDS": "1",
    "SCHEDULER_LEASE_SECONDS": "2",
    "SCHEDULER_REAP_AFTER_SECONDS": "3",
    "SCHEDULER_RECONCILE_SECONDS": "2",
    "SCHEDULER_POLL_SECONDS": "1",
    "SCHEDULER_ANSWER_TIMEOUT_SECONDS": "3",
    "MAX_CONCURRENT_SCRAPERS": "6",
    "SCHEDULER_PACEMAKER": "1",
}
"""Ten times quicker than the defaults, so that a campaign takes minutes."""

CALM = {"SCHEDULER_LEASE_SECONDS": "100", "SCHEDULER_REAP_AFTER_SECONDS": "150"}
"""No node is given up, however long it has to wait for a processor."""

PREPARED = "CHAOS_PREPARED"
"""The data folder of a stopped cluster with a migrated database, to begin with. Without it one is made."""


@dataclass(slots=True, kw_only=True)
class Process:
    """One ``runscheduler`` and its life."""

    popen: subprocess.Popen[bytes]
    output: Path
    failpoints: str
    launched: float
    died: float | None = None
    """When it was killed or had ended, on the monotonic clock."""

    watching: threading.Thread | None = None

    pauses: list[tuple[float, float]] = field(default_factory=list)

    def start_watching(self) -> None:
        """Note the moment of its death, which a failpoint chooses and nobody else sees."""

        def watch() -> None:
            self.popen.wait()
            self.died = time.monotonic()

        self.watching = threading.Thread(target=watch, daemon=True)
        self.watching.start()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def is_alive(self) -> bool:
        return self.popen.poll() is None


class World:
    """Everything that one campaign breaks. ``with World(seed=7) as world:`` removes it all at the end."""

    def __init__(
        self, *, seed: int, settings: dict[str, Any] | None = None, variables: dict[str, str] | None = None
    ) -> None:
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311 - it is to be repeatable
        self.variables = {**QUICK, **(variables or {})}
        self.directory = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.effects = self.directory / "effects"
        self.processes: list[Process] = []
        prepared = os.environ.get(PREPARED)
        self.cluster = Cluster(
            settings={"max_connections": 200, "shared_buffers": "128MB", **(settings or {})},
            copy_of=Path(prepared) if prepared else None,
        )
        self.url = self.cluster.url("chaos")
        self._pause = threading.Event()

    def __enter__(self) -> World:
        self.cluster.start()
        try:
            if self.cluster.copy_of is None:
                self.cluster.psql("CREATE DATABASE chaos")
            else:
                self.cluster.psql(f"ALTER DATABASE {DATABASE} RENAME TO chaos")
            os.environ.update(self._environment(self.url))
            os.environ[effects.VARIABLE] = str(self.effects)
            import django
            from django.core.management import call_command

            django.setup()
            if self.cluster.copy_of is None:
                call_command("migrate", verbosity=0)
            self.execute(watch.INSTALL)
        except BaseException:
            self.cluster.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        from django.db import connections

        for process in self.processes:
            if process.is_alive:
                process.popen.send_signal(signal.SIGCONT)
                process.popen.kill()
                process.popen.wait()
        connections.close_all()
        self.cluster.remove()
        if "CHAOS_KEEP" not in os.environ:
            shutil.rmtree(self.directory, ignore_errors=True)

    def wait(self, seconds: float) -> None:
        """Let time pass: what happens meanwhile is what is examined."""
        self._pause.wait(seconds)

    def query(self, sql: str, *parameters: Any, **named: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url, connect_timeout=60)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SET timezone = 'UTC'")
                cursor.execute(sql, parameters or named or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def execute(self, sql: str) -> None:
        self.query(sql)

    def now(self) -> datetime:
        return self.query("SELECT clock_timestamp()")[0][0]

    def soon(self, seconds: float = 15.0) -> datetime:
        """Return a whole second that has not come when some hundred jobs have been created."""
        return self.now().replace(microsecond=0) + timedelta(seconds=seconds)

    def reach(self, specs: list[Spec]) -> None:
        """Wait until the first fire time: what is broken before it shows nothing."""
        first = min(spec.start_at for spec in specs)
        wait_until(lambda: self.now() >= first, every=0.1)

    def launch(
        self,
        *arguments: str,
        command: tuple[str, ...] = ("runscheduler", "--processes", "0"),
        program: tuple[str, ...] = ("manage.py",),
        failpoints: str = "",
        url: str = "",
        variables: dict[str, str] | None = None,
    ) -> Process:
        """Start a node, or another command, and do not wait for it."""
        given = {**self._environment(url or self.url), **(variables or {}), effects.VARIABLE: str(self.effects)}
        if failpoints:
            given["SCHEDULER_FAILPOINTS"] = failpoints
            given["SCHEDULER_FAILPOINTS_SEED"] = f"{self.seed}-{len(self.processes)}"
        output = self.directory / f"node-{len(self.processes)}.log"
        prefix = list(given.pop("CHAOS_WRAP", "").split())
        with output.open("wb") as file:
            popen = subprocess.Popen(
                [*prefix, sys.executable, *program, *command, *arguments],
                cwd=CHECKOUT,
                env=given,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(popen=popen, output=output, failpoints=failpoints, launched=time.monotonic())
        process.start_watching()
        self.processes.append(process)
        return process

    def started(self, process: Process, *, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until the node has announced itself."""

        def is_there() -> bool:
            assert process.is_alive, process.output.read_text()
            return bool(self.query("SELECT 1 FROM scheduler_node WHERE pid = %s", process.pid))

        wait_until(is_there, timeout, every=0.1)

    def started_somehow(self, process: Process, *, count: int, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until so many nodes have announced themselves, when the pid is that of a wrapper."""

        def are_there() -> bool:
            assert process.is_alive, process.output.read_text()
            return self.query("SELECT count(*) FROM scheduler_node")[0][0] >= count

        wait_until(are_there, timeout, every=0.1)

    def kill(self, process: Process) -> None:
        process.popen.kill()
        self.bury(process)

    def bury(self, process: Process) -> None:
        """Wait until its end has been noted."""
        process.popen.wait()
        assert process.watching is not None
        process.watching.join()

    def pause(self, process: Process) -> float:
        process.popen.send_signal(signal.SIGSTOP)
        return time.monotonic()

    def resume(self, process: Process, since: float) -> None:
        process.popen.send_signal(signal.SIGCONT)
        process.pauses.append((since, time.monotonic()))

    def terminate(self, process: Process, *, timeout: float = PATIENCE_SECONDS) -> tuple[int, float]:
        """Ask it to stop; return its exit code and how long it took."""
        began = time.monotonic()
        process.popen.send_signal(signal.SIGTERM)
        try:
            code = process.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            code = -99
            process.popen.kill()
            process.popen.wait()
        self.bury(process)
        return code, time.monotonic() - began

    def settle(self, specs: list[Spec], *, timeout: float = 2 * PATIENCE_SECONDS) -> datetime:
        """
        Let healthy nodes deal with everything; return the instant up to which it can be judged.

        Every job must have been planned beyond that instant, and every run up to it have ended.
        """
        until = self.now().replace(microsecond=0) + timedelta(seconds=3)
        ids = [spec.id for spec in specs]

        def is_settled() -> bool:
            behind, active = self.query(
                "SELECT (SELECT count(*) FROM django_apscheduler_djangojob"
                "         WHERE id = ANY(%s) AND next_run_time <= %s),"
                "       (SELECT count(*) FROM scheduler_run"
                "         WHERE finished_at IS NULL AND job_key = ANY(%s)"
                "           AND coalesce(covers_from, scheduled_at) <= %s)"
                "       + (SELECT count(*) FROM scheduler_owed WHERE job_key = ANY(%s))",
                ids,
                until,
                ids,
                until,
                ids,
            )[0]
            return not behind and not active

        try:
            wait_until(is_settled, timeout, every=0.25)
        except AssertionError:
            print("It does not settle; what is left is counted as unaccounted.", flush=True)
        return until

    def logged(self, event: str) -> int:
        """Count the lines with an event in the logs of all nodes; of those that carry a count, add it up."""
        total = 0
        for process in self.processes:
            for line in whole_lines(process.output.read_text(errors="replace")):
                if event in line and line.startswith("{"):
                    total += int(json.loads(line).get("count", 1))
        return total

    def _environment(self, url: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SCHEDULER_", "POSTGRES_", "DATABASE_")) or name == "SCHEDULER_ENVIRONMENT"
        }
        return {
            **kept,
            "DATABASE_URL": url,
            "SECRET_KEY": "only for tests",
            "DJANGO_SETTINGS_MODULE": "tests.scenarios.chaos.settings",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "WARNING",
            **self.variables,
        }
