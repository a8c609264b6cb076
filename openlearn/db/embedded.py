"""
One PostgreSQL server for the processes of a checkout: the first to connect starts it, the last to leave stops it.

Two files beside the cluster are locked with ``flock``, which the kernel releases whatever ends a process:

* ``postgres.users``: shared, held by every process that uses the server. The process that can lock it exclusively is
  the last one.
* ``postgres.lock``: exclusive, held while starting, stopping and counting, so that these never overlap.

A server whose users were all killed runs on. The next process uses it, and stops it when it was the last one.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openlearn.db import programs
from openlearn.db.programs import is_postgres

logger = logging.getLogger("openlearn.database")

USER = "postgres"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103
"""Bytes that fit into ``sockaddr_un`` everywhere: 107 on Linux, 103 on macOS."""

START_TIMEOUT_SECONDS = 60
SETTINGS = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    # Web, nodes and a test run on two cores share one server: pools of 15, and a node's own connections.
    "max_connections": "200",
    "shared_buffers": "'256MB'",
    # Short transactions from few clients: fewer full-page writes matter more than a quick recovery.
    "max_wal_size": "'2GB'",
    "checkpoint_timeout": "'15min'",
    "wal_compression": "on",
    # Reading here and there costs little more than in order: from memory, and from any disk without moving parts.
    "random_page_cost": "1.1",
    "log_lock_waits": "on",
    # A statement may hold the outputs of hundreds of runs: the log has the error and not the statement.
    "log_min_error_statement": "panic",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    # Containers give /dev/shm 64 MB, too little for the segments of parallel queries.
    "dynamic_shared_memory_type": "mmap",
}


class EmbeddedServerFailed(Exception):
    """The embedded PostgreSQL cannot be used. The message gives the cause and the cure."""


class EmbeddedServer:
    """The server whose files are under ``directory``. One object for a folder in a process: use ``server()``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = directory / "postgres"
        self.log = self.cluster / "server.log"
        self._guard = threading.Lock()
        self._users: int | None = None
        """File descriptor of ``postgres.users`` while this process uses the server."""
        self._host = ""

    def start(self) -> str:
        """
        Make sure that the server runs, keep it until this process ends, and return its host: the socket's folder.

        :raises EmbeddedServerFailed: with the reason and what to do
        :raises ProgramsMissing: the wheel is not installed
        """
        with self._guard:
            if self._users is None:
                programs.folder()
                try:
                    self.directory.mkdir(parents=True, exist_ok=True)
                    with self._alone():
                        users = os.open(self.directory / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
                        fcntl.flock(users, fcntl.LOCK_SH)
                        try:
                            self._host = self._ensure_running()
                        except BaseException:
                            os.close(users)
                            raise
                        self._users = users
                except PermissionError as error:
                    raise EmbeddedServerFailed(self._belongs_to_another(error)) from None
                except programs.ProgramFailed as error:
                    raise EmbeddedServerFailed(f"The embedded PostgreSQL did not start. {error}") from None
                atexit.register(self.stop)
            return self._host

    def stop(self) -> bool:
        """Release the server, and stop it if it is unused. Return whether it was stopped."""
        with self._guard:
            if self._users is None:
                return False
            users, self._users = self._users, None
            atexit.unregister(self.stop)
            with self._alone():
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
                finally:
                    # Closing gives the lock back; nobody can come in between, as we are alone.
                    os.close(users)
                return self._shut_down()

    def forget(self) -> None:
        """In a forked child: what the parent holds is the parent's. The child takes its own when it connects."""
        self._guard = threading.Lock()
        if self._users is not None:
            os.close(self._users)
            self._users = None
            atexit.unregister(self.stop)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = os.open(self.directory / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _ensure_running(self) -> str:
        account = programs.account_for(self.cluster)
        opened = programs.make_programs_reachable(account=account)
        opened += programs.make_reachable(path=self.cluster, account=account)
        for folder in set(opened) - {self.directory}:
            logger.warning("PostgreSQL runs as %s, which may now pass through %s.", account.name, folder)
        if not self.cluster.exists():
            self._create(account)
        elif not account.is_current and os.geteuid() != 0:
            raise PermissionError(self.cluster)
        host = self._running_host()
        if host is None:
            self._configure(account)
            host = str(self._socket_folder(account))
            self._launch(account, host)
        return host

    def _create(self, account: programs.Account) -> None:
        """Make the cluster under another name and rename it, so that half a cluster is never taken for one."""
        logger.info("Creating the embedded PostgreSQL under %s.", self.cluster)
        for leftover in self.directory.glob("postgres.new-*"):
            shutil.rmtree(leftover)
        new = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.directory))
        os.chown(new, account.uid, account.gid)
        locale = ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        # Only the owner passes the folder with the socket, so there is nobody to ask for a password.
        programs.run("initdb", "-D", str(new), "-A", "trust", "-U", USER, *locale, account=account)
        new.rename(self.cluster)

    def _configure(self, account: programs.Account) -> None:
        """Write our settings to a file of their own: what ALTER SYSTEM sets goes before them."""
        ours = self.cluster / "openlearn.conf"
        ours.write_text("".join(f"{name} = {value}\n" for name, value in SETTINGS.items()))
        os.chown(ours, account.uid, account.gid)
        main = self.cluster / "postgresql.conf"
        if "include 'openlearn.conf'" not in main.read_text():
            with main.open("a") as file:
                file.write("\ninclude 'openlearn.conf'\n")

    def _launch(self, account: programs.Account, host: str) -> None:
        logger.info("Starting the embedded PostgreSQL.")
        programs.put_long_log_aside(self.log)
        # pg_ctl hands its paths to a shell within double quotes, where “$” and backticks mean something: they are
        # relative, so that no name that somebody chose is among them.
        log = os.path.relpath(self.log, self.cluster)
        arguments = ["start", "-w", "-t", str(START_TIMEOUT_SECONDS), "-D", ".", "-l", log]
        options = f"-k {_quoted(host)}"
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                programs.run(
                    "pg_ctl", *arguments, "-o", options, account=account, timeout_seconds=90, directory=self.cluster
                )
            except programs.ProgramFailed as error:
                # Children of a killed server still hold its memory: they notice within a moment.
                if not self._log_ends_with("shared memory block") or time.monotonic() > deadline:
                    raise programs.ProgramFailed(f"{error} {self._end_of_log()}") from None
                threading.Event().wait(0.5)
            else:
                return

    def _running_host(self) -> str | None:
        """
        Return the socket's folder of a server that runs on this cluster and is ready.

        A ``postmaster.pid`` left by a crash is removed when its process is not a PostgreSQL: after a reboot the number
        may belong to anything, and PostgreSQL would not start.
        """
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            try:
                lines = (self.cluster / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                return None
            if not lines or not is_postgres(int(lines[0])):
                (self.cluster / "postmaster.pid").unlink(missing_ok=True)
                return None
            if len(lines) >= 8 and lines[7].strip() == "ready" and lines[4]:
                return lines[4]
            threading.Event().wait(0.1)
        raise EmbeddedServerFailed(f"The embedded PostgreSQL is not ready. {self._end_of_log()}")

    def _shut_down(self) -> bool:
        account = programs.account_for(self.cluster)
        try:
            programs.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.cluster), account=account)
        except programs.ProgramFailed as error:
            logger.warning("The embedded PostgreSQL did not stop: %s", error)
            return False
        if Path(self._host) != self.cluster:
            with suppress(OSError):
                Path(self._host).rmdir()
        return True

    def _socket_folder(self, account: programs.Account) -> Path:
        """Return the cluster's folder, or one in /tmp that belongs to the account if its path is too long."""
        if len(os.fsencode(self.cluster / SOCKET)) <= LONGEST_SOCKET_PATH and "," not in str(self.cluster):
            return self.cluster
        digest = hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]
        folder = Path("/tmp") / f"openlearn-{account.uid}-{digest}"  # noqa: S108 - its owner and mode are checked
        try:
            folder.mkdir(mode=0o700)
            os.chown(folder, account.uid, account.gid)
        except FileExistsError:
            pass
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != account.uid or stat.S_IMODE(status.st_mode) != 0o700:
            raise EmbeddedServerFailed(
                f"{folder} should be a private folder of {account.name} for PostgreSQL's socket, and is not. Remove "
                "it, or set OPENLEARN_DATA_DIR to a shorter path."
            )
        return folder

    def _belongs_to_another(self, error: PermissionError) -> str:
        return (
            f"The embedded PostgreSQL under {self.directory} belongs to another user ({error.filename or error}). "
            "Set OPENLEARN_DATA_DIR to a folder of your own, or run this as the user who created it."
        )

    def _log_ends_with(self, text: str) -> bool:
        return text in self._end_of_log()

    def _end_of_log(self) -> str:
        return self.log.read_text(errors="replace")[-1500:].strip() if self.log.exists() else ""


_servers: dict[Path, EmbeddedServer] = {}
_servers_guard = threading.Lock()


def server(directory: Path) -> EmbeddedServer:
    """Return this process's object for the folder, without starting a server."""
    with _servers_guard:
        return _servers.setdefault(directory.resolve(), EmbeddedServer(directory.resolve()))


def _forget_all() -> None:
    for embedded in _servers.values():
        embedded.forget()


os.register_at_fork(after_in_child=_forget_all)


def _quoted(path: str) -> str:
    """Quote for the shell that pg_ctl hands its options to."""
    return "'" + re.sub("'", "'\\\\''", path) + "'"
