"""Run one contestant and print its figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import resource


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=5)
    options = parser.parse_args()
    try:
        contestant = importlib.import_module(f"tests.benchmarks.contestants.{options.name}")
        figures = contestant.run(jobs=options.jobs, threads=options.threads)
    except (ImportError, FileNotFoundError) as missing:
        figures = {"skipped": f"It cannot be run here: {missing}."}
    figures["peak_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
