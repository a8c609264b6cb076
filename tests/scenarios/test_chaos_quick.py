"""
A small piece of every campaign, so that each change is tried against each kind of fault.

The figures that are published come from the whole campaigns: see docs/evidence.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.chaos.world import PREPARED
from tests.scenarios.site import CHECKOUT

QUICK = {
    "kill": 6,
    "stop": 5,
    "pause": 2,
    "pg": 3,
    "net": 5,
    "edit": 120,
    "poison": 40,
    "flood": 2000,
    "alerts": 5,
    "outage": 800,
    "enqueue": 4,
    "celery": 3,
    "celery-away": 5,
    "odd": 12,
    "operate": 6,
    "masses": 2,
}


class TestACampaign:
    @pytest.mark.timeout(400)
    @pytest.mark.parametrize(("name", "cycles"), QUICK.items())
    def test_breaks_no_promise(self, name: str, cycles: int, tmp_path: Path, prepared: Path) -> None:
        figures = tmp_path / "figures.json"
        variables = {key: value for key, value in os.environ.items() if not key.startswith("DATABASE_URL")}
        variables[PREPARED] = str(prepared)

        done = subprocess.run(
            [sys.executable, "-m", "tests.scenarios.chaos", name, "--cycles", str(cycles), "--json", str(figures)],
            cwd=CHECKOUT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=390,
        )

        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        facts = json.loads(figures.read_text())
        assert facts["good"]
        assert facts["verdict"]["fire_times"] > 0
