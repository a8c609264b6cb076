"""A pooler in transaction mode before a cluster: Debian's PgBouncer, for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from tests.postgres import Cluster, free_port
from tests.waiting import wait_until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

MISSING = "PgBouncer is not installed: apt-get install pgbouncer."


class Pooler:
    """``with Pooler(cluster) as pooler:`` gives each statement outside of a transaction any of four sessions."""

    def __init__(self, cluster: Cluster, *, directory: Path) -> None:
        self.port = free_port()
        self._configuration = directory / "pgbouncer.ini"
        self._configuration.write_text(
            f"[databases]\n* = host=127.0.0.1 port={cluster.port} user={cluster.user}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 200\n"
        )

    def __enter__(self) -> Self:
        assert PROGRAM is not None
        command = [PROGRAM, str(self._configuration)]
        if os.geteuid() == 0:
            # It refuses to run as root.
            os.chmod(self._configuration.parent, 0o755)  # noqa: S103 - a folder of this test
            command = [PROGRAM, "-u", "nobody", str(self._configuration)]
        # A pipe that nobody reads would be full some time, and the pooler would wait.
        log = self._configuration.with_suffix(".log")
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

        def is_up() -> bool:
            has_ended = self._process.poll() is not None
            assert not has_ended, log.read_text()
            return "process up" in log.read_text()

        wait_until(is_up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def url(self, direct: str) -> str:
        """Return the address that leads through the pooler to where ``direct`` leads."""
        parts = urlsplit(direct)
        user = f"{parts.username}@" if parts.username else ""
        return urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{self.port}"))
