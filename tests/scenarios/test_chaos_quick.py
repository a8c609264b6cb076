"""
A small piece of every campaign, so that each change is tried against each kind of fault.

The short ones are part of every run of the tests. The others have the mark ``campaign``: ``make campaigns`` and CI run
them too. The figures that are published come from the whole campaigns: see docs/evidence.
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

SHORT = {"pg": 3, "net": 5, "flood": 2000, "outage": 800}
"""Those that need less than a dozen seconds of a processor."""

LONG = {
    "kill": 6,
    "stop": 5,
    "pause": 2,
    "edit": 120,
    "poison": 40,
    "alerts": 5,
    "enqueue": 4,
    "celery": 3,
    "celery-away": 5,
    "odd": 12,
    "operate": 6,
    "masses": 2,
}

PIECES = [*SHORT.items(), *(pytest.param(*piece, marks=pytest.mark.campaign) for piece in LONG.items())]


class TestACampaign:
    @pytest.mark.timeout(1500)
    @pytest.mark.parametrize(("name", "cycles"), PIECES)
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
            timeout=1400,
        )

        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
        facts = json.loads(figures.read_text())
        assert facts["good"]
        assert facts["verdict"]["fire_times"] > 0
