"""Run one campaign: ``python -m tests.scenarios.chaos kill --cycles 200 --seed 7 --json out.json``."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.scenarios.chaos.campaigns import Report
from tests.scenarios.chaos.campaigns.catalogue import CAMPAIGNS
from tests.scenarios.chaos.world import CALM, CHECKOUT, PREPARED, QUICK, World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.chaos", description=__doc__)
    parser.add_argument("campaign", choices=sorted(CAMPAIGNS))
    parser.add_argument("--cycles", type=int, help="how many times something is broken; default: the full campaign")
    parser.add_argument(
        "--minutes", type=int, dest="cycles", help="the same, for soak: it breaks something each minute"
    )
    parser.add_argument("--seed", type=int, default=7, help="the same seed breaks the same things")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    campaign = CAMPAIGNS[options.campaign]
    cycles = options.cycles or campaign.cycles
    began = time.monotonic()

    def tell(what: str) -> None:
        print(f"  {time.monotonic() - began:6.0f} s  {what}", flush=True)

    print(f"{options.campaign}: {cycles} cycles, seed {options.seed}", flush=True)
    variables = campaign.variables | (CALM if campaign.loses_no_node and PREPARED in os.environ else {})
    with World(seed=options.seed, settings=campaign.server, variables=variables) as world:
        report = campaign.run(world, cycles, tell)
    facts = _facts(options, cycles, report, seconds=time.monotonic() - began, variables=variables)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2, default=str) + "\n")
    print(json.dumps({key: facts[key] for key in ("done", "figures", "verdict", "failures")}, indent=2, default=str))
    print("good" if report.is_good else "BROKEN", flush=True)
    return 0 if report.is_good else 1


def _facts(
    options: argparse.Namespace, cycles: int, report: Report, *, seconds: float, variables: dict[str, str]
) -> dict[str, Any]:
    command = f"python -m tests.scenarios.chaos {options.campaign} --cycles {cycles} --seed {options.seed}"
    return {
        "campaign": options.campaign,
        "command": command,
        "good": report.is_good,
        "done": report.done,
        "figures": report.figures,
        "verdict": report.verdict.as_dict(),
        "failures": report.failures,
        "seconds": round(seconds),
        "settings": {**QUICK, **variables},
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("django", "apscheduler", "psycopg2-binary")},
        "commit": _commit(),
    }


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
