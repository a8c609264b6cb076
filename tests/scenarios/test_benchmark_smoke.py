"""The benchmarks run to their end. ``make campaigns`` and CI run these tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.site import CHECKOUT

pytestmark = pytest.mark.campaign


class TestTheComparison:
    def test_prints_how_many_times_quicker_than_stock_this_is(self, tmp_path: Path, capsys) -> None:
        figures = tmp_path / "figures.json"
        command = [sys.executable, "-m", "tests.benchmarks.compare", "--quick", "--json", str(figures)]

        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=500)

        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(figures.read_text())["runs_per_second"]
        with capsys.disabled():
            print(f"\n{done.stdout.split('{')[0]}")
        # How quick depends on the machine; that every run of both was made and recorded does not.
        assert {name: row["jobs"] for name, row in found.items()} == {"ours": 1000, "stock": 1000}


class TestEnqueueing:
    def test_is_measured(self, tmp_path: Path) -> None:
        figures = tmp_path / "figures.json"
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.enqueue",
            "--quick",
            "--only",
            "ours",
            "--json",
            str(figures),
        ]

        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=500)

        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(figures.read_text())["contestants"]["ours"]
        assert (found["bodies"], found["latency_ms"]["bodies"]) == (100, found["latency_ms"]["enqueued"])
        assert found["history"]["bodies"] == 100
