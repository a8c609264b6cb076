"""Run one contestant and print its figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import resource
from typing import Any

from tests.benchmarks.contestants import queues
from tests.benchmarks.contestants.work import CannotCompare


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--measure", choices=("run", "lateness", "idle"), default="run")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--rate", type=int, default=100, help="runs a second, for lateness")
    parser.add_argument("--seconds", type=int, default=20, help="how long, for lateness")
    parser.add_argument("--threads", type=int, default=5)
    options = parser.parse_args()
    size = (
        {"rate": options.rate, "seconds": options.seconds} if options.measure == "lateness" else {"jobs": options.jobs}
    )
    try:
        figures = getattr(_contestant(options.name), options.measure)(threads=options.threads, **size)
    except CannotCompare as reason:
        figures = {"skipped": str(reason)}
    except (ImportError, FileNotFoundError) as missing:
        figures = {"skipped": f"It cannot be run here: {missing}."}
    figures["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures))


def _contestant(name: str) -> Any:
    """Return the module of a contestant, or a queue, with one function for each measure."""
    if name in queues.NAMES:
        return queues.Queue(name)
    return importlib.import_module(f"tests.benchmarks.contestants.{name}")


if __name__ == "__main__":
    main()
