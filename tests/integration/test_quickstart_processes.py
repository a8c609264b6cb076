from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]

PARENT = """
import sys, time
from pathlib import Path
from openlearn.quickstart.processes import Child

folder = Path(sys.argv[1])
child = Child(name="sleeper", command=["sleep", "600"], log=folder / "log", environment={})
(folder / "pid").write_text(str(child._process.pid))
time.sleep(600)
"""


class TestAChild:
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only Linux tells a process that its parent died.")
    def test_ends_with_its_parent_however_that_ends(self, tmp_path: Path) -> None:
        parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], cwd=ROOT)
        written = tmp_path / "pid"
        pid = wait_until(lambda: int(written.read_text() or 0) if written.exists() else None)

        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()

        wait_until(lambda: _is_gone(pid))


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
