"""
A PostgreSQL cluster of one's own, for tests that stop, restart and break the server.

Works as root (the server then runs as another account) and as an ordinary user, and needs no installed PostgreSQL.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import psycopg2

from openlearn.db import programs

StopMode = Literal["smart", "fast", "immediate"]


class Cluster:
    """
    One server in a temporary folder, on a TCP port of 127.0.0.1 that stays the same over restarts.

    ``with Cluster() as cluster:`` starts it, and removes everything at the end. ``settings`` are server settings such
    as ``{"max_connections": 20}``; with ``password`` the server asks for it (SCRAM) instead of trusting everybody;
    ``parent`` is the folder that gets its files; ``has_clock`` gives the server a clock of its own, for ``set_clock``.
    ``copy_of`` is the data folder of a stopped cluster, with which this one begins.
    """

    user = "postgres"

    def __init__(
        self,
        *,
        settings: dict[str, Any] | None = None,
        password: str = "",
        parent: Path | None = None,
        has_clock: bool = False,
        copy_of: Path | None = None,
    ) -> None:
        self.settings = settings or {}
        self.password = password
        self.copy_of = copy_of
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="cluster-", dir=parent))
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.account = programs.account_for(self.data)
        os.chown(self.directory, self.account.uid, self.account.gid)
        self._clock = self.directory / "clock"
        self._variables: dict[str, str] = {}
        if has_clock:
            self.set_clock(ahead_seconds=0)
            self._variables = {
                "LD_PRELOAD": str(clock_library()),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }

    def set_clock(self, *, ahead_seconds: int) -> None:
        """Let the server's clock, and no other, be wrong by this much from now on."""
        moved = self._clock.with_suffix(".new")
        moved.write_text(f"{ahead_seconds:+d}\n")
        moved.chmod(0o644)
        moved.rename(self._clock)

    def start(self) -> None:
        """Start the server and wait until it answers; create the cluster before the first start."""
        if not self.data.exists():
            self._create()
        self._pg_ctl("start", "-w", "-l", str(self.log), variables=self._variables)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server if it runs. ``immediate`` is a crash: it recovers at the next start."""
        if not self.is_running:
            return
        try:
            self._pg_ctl("stop", "-w", "-m", mode)
        except programs.ProgramFailed:
            # One that was killed is listed until somebody has buried it, and then leaves its file behind.
            if self.is_running:
                raise

    def restart(self, mode: StopMode = "fast") -> None:
        self.stop(mode)
        self.start()

    def kill(self) -> None:
        """Kill the postmaster with -9; its children notice and end by themselves."""
        os.kill(self.pid, signal.SIGKILL)

    def remove(self) -> None:
        """Stop the server at once and delete its files."""
        if self.data.exists():
            self.stop("immediate")
        shutil.rmtree(self.directory)

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    @property
    def is_running(self) -> bool:
        try:
            programs.run("pg_ctl", "status", "-D", str(self.data), account=self.account)
        except programs.ProgramFailed:
            return False
        return True

    def url(self, database: str = "postgres", *, host: str = "127.0.0.1", port: int | None = None) -> str:
        """Return the DATABASE_URL; ``host`` and ``port`` name a proxy in front of it."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{self.user}{secret}@{host}:{port or self.port}/{database}"

    def psql(self, sql: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Execute one statement as superuser, outside of a transaction, and return its rows."""
        connection = psycopg2.connect(self.url(database), connect_timeout=60)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def standby(self) -> Cluster:
        """Return a streaming copy of this running cluster, started: it follows until ``promote``."""
        copy = Cluster()
        programs.run(
            "pg_basebackup", "-D", str(copy.data), "-d", self.url(), "-R", "-X", "stream", "-c", "fast",
            account=copy.account,
        )  # fmt: skip
        with (copy.data / "postgresql.conf").open("a") as file:
            file.write(f"port = '{copy.port}'\n")
        copy.start()
        return copy

    def promote(self) -> None:
        """Make a standby the primary."""
        self._pg_ctl("promote", "-w")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def _create(self) -> None:
        programs.make_programs_reachable(account=self.account)
        programs.make_reachable(path=self.data, account=self.account)
        if self.copy_of is None:
            self._initialise()
        else:
            subprocess.run(["cp", "-a", str(self.copy_of), str(self.data)], check=True)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "timezone": "UTC",
            **self.settings,
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _initialise(self) -> None:
        secret = self.directory / "password"
        secret.write_text(self.password or secrets.token_urlsafe())
        os.chown(secret, self.account.uid, self.account.gid)
        method = "scram-sha-256" if self.password else "trust"
        options = ["-A", method, "--pwfile", str(secret), "-U", self.user, "-E", "UTF8", "--locale", "C", "--no-sync"]
        programs.run("initdb", "-D", str(self.data), *options, account=self.account)

    def _pg_ctl(self, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
        try:
            programs.run(
                "pg_ctl", "-D", str(self.data), "-t", "300", *arguments, account=self.account, variables=variables
            )
        except programs.ProgramFailed as error:
            log = self.log.read_text()[-2000:] if self.log.exists() else ""
            raise programs.ProgramFailed(f"{error}\n{log}") from None


NO_CLOCK = "The library faketime is missing, which gives a server a clock of its own: apt-get install faketime"


def clock_library() -> Path | None:
    """Return Debian's libfaketime, or ``None`` if it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on, and that no other caller or worker of the tests gets."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
        # The system prefers odd numbers for servers and even ones for clients.
        if port // 2 % workers == worker % workers and port not in _given:
            _given.add(port)
            return port


_given: set[int] = set()
