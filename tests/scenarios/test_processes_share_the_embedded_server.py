from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from openlearn.db import programs
from tests.waiting import wait_until

USER = """
import sys
from pathlib import Path
import psycopg2
from openlearn.db import embedded
host = embedded.server(Path(sys.argv[1])).start()
connection = psycopg2.connect(host=host, user="postgres", dbname="postgres")
with connection.cursor() as cursor:
    cursor.execute("SELECT current_setting('fsync') || ' ' || current_setting('max_connections')")
    print(cursor.fetchone()[0], flush=True)
sys.stdin.readline()
"""


class Process:
    """A process that uses the server until it is told to end."""

    def __init__(self, directory: Path) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", USER, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def answer(self) -> str:
        assert self.popen.stdout
        return self.popen.stdout.readline().strip()

    def end(self) -> int:
        self.popen.communicate("\n", timeout=120)
        return self.popen.returncode

    def kill(self) -> None:
        self.popen.kill()
        self.popen.communicate(timeout=120)


@pytest.fixture
def directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="embedded-"))
    yield directory
    server = postmaster(directory)
    if server:
        server.kill()
        server.wait(120)
    shutil.rmtree(directory)


def postmaster(directory: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int((directory / "postgres" / "postmaster.pid").read_text().split()[0]))
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def runs(server: psutil.Process) -> bool:
    """A container whose first process reaps nobody keeps what ended as a zombie."""
    return server.is_running() and server.status() != psutil.STATUS_ZOMBIE


def start(directory: Path, count: int = 1) -> list[Process]:
    processes = [Process(directory) for _ in range(count)]
    assert [process.answer() for process in processes] == ["on 200"] * count
    return processes


class TestTheEmbeddedServer:
    def test_is_started_once_by_processes_that_come_together_and_stopped_by_the_last_one(self, directory: Path) -> None:
        first, second, third = start(directory, 3)
        server = postmaster(directory)
        assert server

        assert [first.end(), second.end()] == [0, 0]
        assert runs(server)

        third.end()
        assert not runs(server)

    def test_is_stopped_by_the_last_one_although_others_were_killed(self, directory: Path) -> None:
        killed, last = start(directory, 2)
        server = postmaster(directory)
        assert server

        killed.kill()
        last.end()

        assert not runs(server)

    def test_is_taken_over_after_all_were_killed(self, directory: Path) -> None:
        (killed,) = start(directory)
        server = postmaster(directory)
        assert server
        killed.kill()
        assert runs(server)

        (heir,) = start(directory)

        assert postmaster(directory) == server
        heir.end()
        assert not runs(server)

    def test_starts_again_after_everything_was_killed(self, directory: Path) -> None:
        (process,) = start(directory)
        server = postmaster(directory)
        assert server
        process.kill()
        parts = [server, *server.children()]
        server.kill()
        # A zombie counts as running for PostgreSQL, whose lock names it.
        wait_until(lambda: not any(part.is_running() for part in parts))
        assert (directory / "postgres" / "postmaster.pid").exists()

        (again,) = start(directory)

        again.end()

    def test_starts_when_a_reboot_gave_its_process_id_to_another(self, directory: Path) -> None:
        (process,) = start(directory)
        process.end()
        account = programs.account_for(directory / "postgres")
        identity = {} if account.is_current else {"user": account.uid, "group": account.gid}
        other = subprocess.Popen(["sleep", "3600"], cwd="/", **identity)  # type: ignore[call-overload]
        try:
            stale = directory / "postgres" / "postmaster.pid"
            stale.write_text(f"{other.pid}\n{directory}/postgres\n1\n5432\n{directory}/postgres\n\n1 1\nready\n")
            os.chown(stale, account.uid, account.gid)

            (again,) = start(directory)

            again.end()
        finally:
            other.kill()
            other.wait()

    def test_is_not_reached_by_a_ctrl_c_in_the_terminal(self, directory: Path) -> None:
        first, second = start(directory, 2)
        server = postmaster(directory)
        assert server

        os.killpg(first.popen.pid, signal.SIGINT)
        first.popen.communicate(timeout=120)

        assert runs(server)
        assert os.getpgid(server.pid) not in {first.popen.pid, second.popen.pid, os.getpgrp()}
        second.end()

    def test_works_in_a_folder_whose_path_is_too_long_for_a_socket(self, directory: Path) -> None:
        deep = directory / "a folder with 'quotes'" / ("long" * 30)
        deep.mkdir(parents=True)
        digest = hashlib.sha256(os.fsencode(deep / "postgres")).hexdigest()[:16]

        (process,) = start(deep)
        while_it_works = list(Path("/tmp").glob(f"openlearn-*{digest}"))

        process.end()
        assert postmaster(deep) is None
        assert len(while_it_works) == 1
        assert not list(Path("/tmp").glob(f"openlearn-*{digest}"))

    @pytest.mark.parametrize("name", ["a $HOME b", 'a " b', "a `touch canary` b", "ü ' % & ;"])
    def test_works_in_a_folder_with_characters_that_a_shell_reads(self, directory: Path, name: str) -> None:
        folder = directory / name
        folder.mkdir()

        (process,) = start(folder)

        process.end()
        assert postmaster(folder) is None
        assert not list(directory.rglob("canary"))
        assert not Path("canary").exists()

    def test_is_made_anew_when_the_first_attempt_was_interrupted(self, directory: Path) -> None:
        (directory / "postgres.new-abandoned").mkdir()

        (process,) = start(directory)

        process.end()
        assert not (directory / "postgres.new-abandoned").exists()

    def test_keeps_what_an_administrator_set(self, directory: Path) -> None:
        (process,) = start(directory)
        process.end()
        with (directory / "postgres" / "postgresql.auto.conf").open("a") as file:
            file.write("max_connections = 77\n")

        changed = Process(directory)

        assert changed.answer() == "on 77"
        changed.end()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can create another user's folder")
    def test_of_another_user_is_refused_with_a_sentence(self, directory: Path) -> None:
        (process,) = start(directory)
        process.end()

        code = USER.replace("host =", "import os; os.setgroups([]); os.setgid(65534); os.setuid(65533)\nhost =")
        result = subprocess.run(
            [sys.executable, "-c", code, str(directory)], capture_output=True, text=True, timeout=500, check=False
        )

        assert "EmbeddedServerFailed: The embedded PostgreSQL under" in result.stderr
        assert "belongs to another user" in result.stderr


FORKING = """
import os, sys
from pathlib import Path
from openlearn.db import embedded
server = embedded.server(Path(sys.argv[1]))
server.start()
child = os.fork()
if child == 0:
    os._exit(server.stop())
_, status = os.waitpid(child, 0)
print("stopped by child:", bool(status), "stopped by parent:", server.stop())
"""


class TestAForkedChild:
    def test_leaves_the_server_to_its_parent(self, directory: Path) -> None:
        result = subprocess.run(
            [sys.executable, "-c", FORKING, str(directory)], capture_output=True, text=True, timeout=500, check=True
        )

        assert result.stdout.strip() == "stopped by child: False stopped by parent: True"
