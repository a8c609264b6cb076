"""
Memory of a node whose tasks log: 1,000 runs of 100 lines each.

    python -m tests.benchmarks.talkative [--runs 1000] [--lines 100]
"""

from __future__ import annotations

import argparse
import resource

from tests.benchmarks import scratch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=100)
    options = parser.parse_args()
    with scratch.database():
        from scheduler.models import Run

        scratch.empty()
        scratch.add_jobs(task="benchmarks.talk", count=options.runs, kwargs={"lines": options.lines})
        before = peak_megabytes()
        node = scratch.node(threads=5)
        node.start()
        while Run.objects.filter(state="succeeded").count() < options.runs:
            pause = node.run_once()
            if pause > 0:
                node.wakeups.sleep(timeout=min(pause, 0.05))
        node.stop(grace_seconds=1)
        kept = Run.objects.filter(log__contains=f"line {options.lines - 1}").count()
    print(f"{options.runs:,} runs, {options.lines} lines each; {kept:,} logs are whole")
    print(f"  peak memory of the node's process {peak_megabytes():.0f} MB ({before:.0f} MB before the first run)")


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
