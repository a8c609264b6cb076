"""A database of one's own and the nodes that work on it, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
from django.db import connections
from django.db.models.functions import Now

from openlearn import postgres
from openlearn.db.postgresql.base import close_pools
from openlearn.environment import Environment
from scheduler.models import Node, Run
from tests.brokers import Broker
from tests.sample_app import effects
from tests.sample_app.effects import Execution
from tests.waiting import PATIENCE_SECONDS, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]

RUNSCHEDULER = (sys.executable, "manage.py", "runscheduler")

CALM = {
    "SCHEDULER_HEARTBEAT_SECONDS": "0.5",
    "SCHEDULER_LEASE_SECONDS": "100",
    "SCHEDULER_REAP_AFTER_SECONDS": "150",
    "SCHEDULER_GRACE_SECONDS": "600",
}
"""No node is taken for dead and none gives up what runs, however long it waits for a processor: see ``Site.lose``."""

QUICK = {"SCHEDULER_LEASE_SECONDS": "4", "SCHEDULER_REAP_AFTER_SECONDS": "5"}
"""Silence alone is noticed within some seconds, also that of a node which waits for a processor."""


@contextmanager
def connected_to(url: str) -> Iterator[None]:
    """Let this process use another database than the one of the settings."""
    connection = connections["default"]
    former = connection.settings_dict
    entry = postgres.databases(Environment({"DATABASE_URL": url}), data_dir=CHECKOUT)["default"]
    _dispose(connection)
    connection.settings_dict = {**{key: value for key, value in former.items() if key != "EMBEDDED"}, **entry}
    try:
        yield
    finally:
        _dispose(connection)
        connection.settings_dict = former


def _dispose(connection: Any) -> None:
    connection.close()
    close_pools()


def environment(url: str, **changes: str) -> dict[str, str]:
    """Return the variables of a process that works on the database."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SCHEDULER_", "POSTGRES_"))}
    return {
        **inherited,
        "DATABASE_URL": url,
        "SECRET_KEY": "only for tests",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "LOG_FORMAT": "text",
        "LOG_LEVEL": "INFO",
        "SCHEDULER_PACEMAKER": "1",
        **changes,
    }


def migrate(url: str) -> None:
    """Create the tables in a database."""
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=CHECKOUT, env=environment(url), check=True)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class NodeProcess:
    """``manage.py runscheduler``, or another program, as a process; what it prints goes to a file."""

    def __init__(
        self, *arguments: str, variables: dict[str, str], output: Path, program: tuple[str, ...] = RUNSCHEDULER
    ) -> None:
        self._file = output
        with output.open("wb") as file:
            self._popen = subprocess.Popen(
                [*program, *arguments],
                cwd=CHECKOUT,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return self._file.read_text(errors="replace")  # a letter may be half written

    def printed(self, text: str, *, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until it has printed the text."""

        def has_printed() -> bool:
            has_ended = self._popen.poll() is not None
            output = self.output
            assert text in output or not has_ended, f"It ended: {output}"
            return text in output

        wait_until(has_printed, timeout)

    def printed_more_than(self, text: str, *, count: int, timeout: float = PATIENCE_SECONDS) -> None:
        """Wait until it has printed the text more often than that."""
        wait_until(lambda: self.output.count(text) > count, timeout)

    def send(self, number: int) -> None:
        self._popen.send_signal(number)

    def ended(self, *, timeout: float = PATIENCE_SECONDS) -> int:
        """Wait until it has ended and return its exit code."""
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It goes on after {timeout:g} s: {self.output}") from None

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def stop(self, *, number: int = signal.SIGTERM, timeout: float = PATIENCE_SECONDS) -> None:
        """Ask it to stop, and expect that it does so without complaint."""
        self.send(number)
        assert self.ended(timeout=timeout) == 0, self.output
        assert "Traceback" not in self.output


class Site:
    """A migrated database, the nodes on it, and the file in which tasks leave their traces."""

    def __init__(self, *, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self._effects = directory / "effects"
        self._nodes: list[NodeProcess] = []

    def launch(self, *arguments: str, program: tuple[str, ...] = RUNSCHEDULER, **variables: str) -> NodeProcess:
        """Start a process and do not wait for it."""
        given = {effects.VARIABLE: str(self._effects), **CALM, **variables}
        node = NodeProcess(
            *arguments,
            variables=environment(given.pop("DATABASE_URL", self.url), **given),
            output=self.directory / f"node-{len(self._nodes)}.log",
            program=program,
        )
        self._nodes.append(node)
        return node

    def start_node(self, *arguments: str, **variables: str) -> NodeProcess:
        """Start a node and wait until it works. Without a process pool, which takes its time to start."""
        if "--processes" not in arguments:
            arguments = (*arguments, "--processes", "0")
        node = self.launch(*arguments, **variables)
        node.printed("scheduler.node.started")
        return node

    def start_worker(
        self,
        broker: Broker,
        *arguments: str,
        pool: str = "threads",
        places: int = 2,
        app: str = "openlearn",
        **variables: str,
    ) -> NodeProcess:
        """Start a Celery worker for the queue “scrape” and wait until it listens."""
        program = (sys.executable, "-m", "celery", "-A", app, "worker", "-Q", "scrape")
        options = ("--pool", pool, "--concurrency", f"{places}", "--without-mingle", "--without-gossip", "-l", "INFO")
        worker = self.launch(*options, *arguments, program=program, CELERY_BROKER_URL=broker.url, **variables)
        worker.printed(" ready.")
        return worker

    def close(self) -> None:
        for node in self._nodes:
            node.kill()

    def lose(self, process: NodeProcess) -> None:
        """Let the silence of a node that beats no longer be as long as others forgive, until they take it for dead."""
        beating = Node.objects.filter(pid=process.pid, state__in=("running", "stopping"))

        def is_lost() -> bool:
            beating.update(heartbeat_at=Now() - timedelta(hours=1))  # its last heartbeat may arrive after its end
            return Node.objects.get(pid=process.pid).state == "lost"

        wait_until(is_lost)

    def executions(self, job: str | None = None) -> list[Execution]:
        found = effects.read(self._effects)
        return [execution for execution in found if job in (None, execution.job)]

    def began(self, job: str, *, count: int = 1, timeout: float = PATIENCE_SECONDS) -> list[Execution]:
        """Wait until so many executions of a job have begun, and return them."""
        return wait_until(
            lambda: found if len(found := self.executions(job)) >= count else None,
            timeout,
        )

    def run(self, job: str, *, state: str, timeout: float = PATIENCE_SECONDS, **filters: Any) -> Run:
        """Wait until the job has a run in this state, and return it."""
        return wait_until(
            lambda: Run.objects.filter(job_key=job, state=state, **filters).order_by("id").first(), timeout
        )

    def node_of(self, process: NodeProcess) -> Node:
        return Node.objects.get(pid=process.pid)
