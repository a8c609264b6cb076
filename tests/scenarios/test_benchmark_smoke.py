"""The benchmarks run to their end. ``make campaigns`` and CI run these tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def figures_of(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a benchmark and return what it writes."""
    figures = folder / "figures.json"
    command = [sys.executable, "-m", *arguments, "--json", str(figures)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(figures.read_text())
    return found


class TestTheHorizon:
    def test_is_measured_for_jobs_and_enqueued_tasks(self, tmp_path: Path) -> None:
        chart = tmp_path / "chart.svg"
        sizes = ("--rate", "50", "--period", "3", "--held", "1", "--svg", str(chart))

        found = figures_of(tmp_path, "tests.benchmarks.horizons", "--only", "ours_jobs,ours", *sizes)["contestants"]

        assert all(figures["periods"][0]["runs"] for figures in found.values())
        assert chart.read_text().count("<polyline") == 6


class TestAFlood:
    def test_is_drained_although_a_node_is_killed_beside_a_clean_up(self, tmp_path: Path) -> None:
        sizes = ("--jobs", "2000", "--ledger", "3000", "--clean-up", "--kill")

        figures = figures_of(tmp_path, "tests.benchmarks.flood", *sizes)["figures"]

        assert (figures["runs"], figures["not_run"]) == (2000, 0)
        assert figures["killed_after_runs"] is not None
        assert figures["old_rows_left"] < 3000


class TestManyNodes:
    def test_share_the_work(self, tmp_path: Path) -> None:
        sizes = ("--nodes", "1,2", "--seconds", "3", "--sleep", "0.5")

        one, two = figures_of(tmp_path, "tests.benchmarks.many_nodes", *sizes)["nodes"]

        assert (one["nodes"], two["nodes"]) == (1, 2)
        assert one["runs_per_second"] > 0
        assert two["runs_per_second"] > 0


class TestTheProcessPool:
    def test_is_measured_beside_another(self, tmp_path: Path) -> None:
        sizes = ("--bodies", "60", "--rounds", "1", "--milliseconds", "0,1")

        found = figures_of(tmp_path, "tests.benchmarks.process_pool", *sizes)["bodies_per_second"]

        assert all(found[name]["1 ms"] > 0 for name in ("OpenLearn", "OpenLearn, children live on"))
        assert found["concurrent.futures"]["0 ms"] > 0


class TestASteadyLoad:
    def test_is_measured_each_minute(self, tmp_path: Path) -> None:
        sizes = ("--rate", "20", "--minutes", "2", "--minute", "4", "--every", "2")

        minutes = figures_of(tmp_path, "tests.benchmarks.sustained", *sizes)["minutes"]

        assert [minute["minute"] for minute in minutes] == [0, 1]
        assert all(minute["runs"] > 0 and minute["wal_bytes_a_run"] > 0 for minute in minutes)
