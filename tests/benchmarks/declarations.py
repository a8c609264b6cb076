"""
How fast declared jobs are planned and applied: ``python -m tests.benchmarks.declarations``.

Ten thousand declarations with crontabs, intervals and calendars, arguments and policies. Each step is timed: the plan
and the apply of a first synchronisation, of one without changes, and of one that changes each job. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks import scratch

GOALS = {"plan": 2.0, "apply": 10.0}


def declared(*, count: int, release: int) -> Any:
    """Return that many declarations; another ``release`` changes a trigger, an argument and a policy of each."""
    from scheduler.core.declarations import Declaration
    from scheduler.services.declarations.collecting import Collected

    found = [
        Declaration(
            key=f"job-{number}",
            definition={
                "task": "benchmarks.talk",
                "trigger": _trigger(number, release),
                "kwargs": {"lines": number + release},
                "tags": [f"team-{number % 20}"],
                "max_retries": release,
            },
            source="code",
            origin="tests.benchmarks.declarations",
        )
        for number in range(count)
    ]
    return Collected(declarations=tuple(found), errors=())


def _trigger(number: int, release: int) -> dict[str, Any]:
    minute, hour = (number + release) % 60, number // 60 % 24
    match number % 4:
        case 0 | 1:
            return {"type": "cron", "expression": f"{minute} {hour} * * *", "timezone": "Europe/Berlin"}
        case 2:
            return {"type": "interval", "minutes": 30 + (number + release) % 600}
    return {"type": "calendar", "months": 1, "at": f"{hour:02}:{minute:02}", "timezone": "Europe/Berlin"}


def measure(*, count: int) -> dict[str, dict[str, float]]:
    """Return how long each step took, and the processor time of this process in it, in seconds."""
    from scheduler.services import declarations

    took: dict[str, dict[str, float]] = {}

    def timed(name: str, call: Callable[[], Any], *, changes: int) -> None:
        began, busy = time.perf_counter(), time.process_time()
        done = call()
        took[name] = {
            "took": round(time.perf_counter() - began, 2),
            "own processor time": round(time.process_time() - busy, 2),
        }
        assert not done.is_refused, [step.text for step in done.steps if step.text][:3]
        assert sum(step.has_changes for step in done.steps) == changes, name

    first, second = declared(count=count, release=0), declared(count=count, release=1)
    timed("plan of new jobs", lambda: declarations.plan(collected=first), changes=count)
    timed("apply of new jobs", lambda: declarations.apply(collected=first), changes=count)
    timed("plan without changes", lambda: declarations.plan(collected=first), changes=0)
    timed("apply without changes", lambda: declarations.apply(collected=first), changes=0)
    timed("plan of changes", lambda: declarations.plan(collected=second), changes=count)
    timed("apply of changes", lambda: declarations.apply(collected=second), changes=count)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    options = parser.parse_args()
    with scratch.database():
        took = measure(count=options.jobs)
    facts = {
        "command": f"python -m tests.benchmarks.declarations --jobs {options.jobs}",
        "at": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        "commit": _commit(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": [round(each, 2) for each in os.getloadavg()],
    }
    print(json.dumps({**facts, "jobs": options.jobs, "goals": GOALS, "seconds": took}, indent=2))


def _commit() -> str:
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return said.stdout.strip()


if __name__ == "__main__":
    main()
