from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import psutil
import pytest

from tests.postgres import free_port
from tests.scenarios.site import is_alive
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 500


@pytest.fixture
def fresh() -> Iterator[Path]:
    """A data folder in which nothing was started yet."""
    data = Path(tempfile.mkdtemp(prefix="newcomer-"))
    yield data
    shutil.rmtree(data)


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """One data folder for many tests: creating the tables is what takes long."""
    data = Path(tempfile.mkdtemp(prefix="newcomer-"))
    yield data
    shutil.rmtree(data)


class Quickstart:
    """
    The command as a newcomer starts it: in a terminal's process group, with nothing configured.

    It has a port of its own. Two that start at once may both find the usual one free.
    """

    def __init__(self, data: Path, *arguments: str, port: int | None = None) -> None:
        unset = ("DATABASE_URL", "POSTGRES_", "SECRET_KEY", "SCHEDULER_", "DJANGO_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(unset)}
        self.popen = subprocess.Popen(
            [sys.executable, "manage.py", "quickstart", "--port", str(port or free_port()), *arguments],
            cwd=ROOT,
            env={**environment, "OPENLEARN_DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.output = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Return what matched in the output, which must come in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        assert self.popen.stdout
        while not (found := re.search(pattern, self.output, re.MULTILINE)):
            ready, _, _ = select.select([self.popen.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"“{pattern}” did not come: {self.output}"
            read = os.read(self.popen.stdout.fileno(), 65536)
            assert read, f"It ended without “{pattern}”: {self.output}"
            self.output += read.decode()
        return found

    def ctrl_c(self) -> None:
        os.killpg(self.popen.pid, signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; everything that it started must be gone with it."""
        family = psutil.Process(self.popen.pid).children(recursive=True) if self.popen.poll() is None else []
        assert self.popen.stdout
        rest, _ = self.popen.communicate(timeout=PATIENCE_SECONDS)
        self.output += rest.decode()
        wait_until(lambda: not any(is_alive(process) for process in family))
        return self.popen.returncode


def _logged_in(address: str, *, password: str) -> Callable[[], str]:
    """Log in as the newcomer does, and return what reads the page."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    login = f"{address.partition('/admin/')[0]}/admin/login/"
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)', browser.open(login, timeout=300).read().decode())
    assert token
    given = {"username": "admin", "password": password, "csrfmiddlewaretoken": token.group(1), "next": "/admin/"}
    browser.open(login, urllib.parse.urlencode(given).encode(), timeout=300)
    return lambda: str(browser.open(address, timeout=300).read().decode())


def _with(text: str, part: str) -> str:
    return text if part in text else ""


class TestQuickstart:
    def test_shows_runs_of_the_sample_site_and_finds_its_jobs_again(self, fresh: Path) -> None:
        first = Quickstart(fresh, "--until-runs", "5", "--timeout", "480")
        assert first.end() == 0, first.output
        second = Quickstart(fresh, "--until-runs", "1", "--timeout", "480")
        assert second.end() == 0, second.output

        assert len(re.findall(r"password \S+ \(shown only this once\)", first.output)) == 1
        assert "shown only this once" not in second.output
        assert len(re.findall(r"^\d\d:\d\d:\d\d  .* succeeded ", first.output, re.MULTILINE)) >= 5
        assert "Creating the tables" in first.output
        assert "Creating the tables" not in second.output
        assert "Traceback" not in first.output + second.output
        assert stat.S_IMODE((fresh / "secret_key").stat().st_mode) == 0o600
        assert not (fresh / "postgres" / "postmaster.pid").exists()

    def test_serves_the_admin_until_ctrl_c_stops_everything(self, data: Path) -> None:
        started = Quickstart(data)
        address = started.read_until(r"Admin +(http://\S+/admin/)").group(1)
        with urllib.request.urlopen(address, timeout=300) as page:
            assert b"OpenLearn Scheduler" in page.read()
        with urllib.request.urlopen(address.replace("/admin/", "/static/admin/css/base.css"), timeout=300) as style:
            assert style.status == 200
        started.read_until(r"^\d\d:\d\d:\d\d  ")

        started.ctrl_c()

        assert started.end() == 0, started.output
        assert "Traceback" not in started.output

    def test_shows_the_incident_of_the_sample_job_that_fails_on_the_dashboard(self, fresh: Path) -> None:
        started = Quickstart(fresh)
        password = started.read_until(r"password (\S+) \(shown only this once\)").group(1)
        dashboard = started.read_until(r"An incident +(http://\S+)").group(1)
        for _ in range(3):
            started.read_until(r"Sample: fails on purpose .* failed ")
            started.output = started.output.partition("Sample: fails on purpose")[2]

        page = _logged_in(dashboard, password=password)

        assert re.search(r"failed \d times in a row", wait_until(lambda: _with(page(), "Open incidents")))
        started.ctrl_c()
        assert started.end() == 0, started.output

    def test_without_web_serves_the_sample_site_alone(self, data: Path) -> None:
        started = Quickstart(data, "--no-web")
        address = started.read_until(r"Sample site +(http://\S+?)/sample/").group(1)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{address}/admin/", timeout=300)
        started.read_until(r"^\d\d:\d\d:\d\d  .* succeeded ")

        second = Quickstart(data, "--no-web")

        assert second.end() == 1
        assert second.output.strip().startswith(f"CommandError: Another quickstart runs with {data}, at {address}.")
        started.ctrl_c()
        assert started.end() == 0, started.output

    @pytest.mark.parametrize("moment", ["Starting PostgreSQL", "Preparing sources", "Starting the web"])
    def test_can_be_interrupted_while_it_starts(self, data: Path, moment: str) -> None:
        for _ in range(9):
            started = Quickstart(data)
            started.read_until(moment)

            started.ctrl_c()
            started.ctrl_c()

            assert started.end() == 0, started.output
            assert "Traceback" not in started.output
            assert not (data / "postgres" / "postmaster.pid").exists()
            if "Runs as they finish" not in started.output:
                return
        pytest.fail("It had started each time before it was interrupted.")

    def test_ends_when_its_reader_has_seen_enough(self, data: Path) -> None:
        started = Quickstart(data)
        started.read_until("Starting PostgreSQL")

        assert started.popen.stdout
        started.popen.stdout.close()

        assert started.popen.wait(PATIENCE_SECONDS) == 0
        assert not (data / "postgres" / "postmaster.pid").exists()

    def test_says_why_too_few_runs_succeeded(self, data: Path) -> None:
        started = Quickstart(data, "--until-runs", "1000", "--timeout", "1")

        assert started.end() == 1
        assert re.search(r"Only \d+ of 1000 scheduled runs succeeded within 1 seconds\.", started.output)
        assert "Traceback" not in started.output

    def test_refuses_a_port_that_is_taken(self, data: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            started = Quickstart(data, port=port)

            assert started.end() == 1

        assert started.output.strip() == (
            f"CommandError: Port {port} is taken by another program. Choose another one with --port."
        )
