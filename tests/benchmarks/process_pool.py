"""
Bodies a second through child processes: this scheduler's process pool, concurrent.futures and pebble.

    python -m tests.benchmarks.process_pool [--bodies 10000] [--processes 2] [--milliseconds 0,1,5] [--rounds 3]
                                            [--json FILE]

This scheduler runs jobs that are due at once, with the start gate and an outcome in the ledger for each. The other two
are called from one process and store nothing. A body uses the processor for some milliseconds, or returns at once.
This scheduler is measured with its default of 500 runs for each child process, and with children that live on, as those
of the other two do. Starts a server of its own. The median of the rounds is printed. pebble is left out where it is
missing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from concurrent import futures
from pathlib import Path
from typing import Any

from tests.benchmarks.nodes.fleet import Fleet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=10_000, help="that return at once; fewer of those that compute")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--milliseconds", default="0,1,5", help="processor time of a body")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    loads = [float(word) for word in options.milliseconds.split(",")]
    counts = {load: round(options.bodies / (1 + 2 * load)) for load in loads}
    found = ours(counts, processes=options.processes, rounds=options.rounds)
    for name, measure in {"concurrent.futures": with_futures, "pebble": with_pebble}.items():
        try:
            found[name] = measure(counts, processes=options.processes, rounds=options.rounds)
        except ImportError as missing:
            found[name] = {"skipped": f"It cannot be run here: {missing}."}
    print(table(found))
    if options.json:
        facts = {
            "command": f"python -m tests.benchmarks.process_pool --bodies {options.bodies} --rounds {options.rounds}"
            f" --milliseconds {options.milliseconds} --processes {options.processes}",
            "bodies": counts,
            "bodies_per_second": found,
            "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


Figures = dict[str, Any]


def ours(counts: dict[float, int], *, processes: int, rounds: int) -> dict[str, Figures]:
    """Measure this scheduler, from the first begin to the last outcome in the ledger."""
    found = {}
    with Fleet() as fleet:
        for name, variables in OURS.items():
            fleet.variables |= variables
            fleet.launch("--threads", "1", "--processes", str(processes))
            found[name] = {
                f"{load:g} ms": statistics.median(_run(fleet, count, load) for _ in range(rounds))
                for load, count in counts.items()
            }
            print(f"  {name}: {found[name]}", flush=True)
            fleet.end()
    return found


OURS = {
    "OpenLearn": {},
    "OpenLearn, children live on": {"SCHEDULER_RUNS_PER_CHILD": "1000000000"},
}


def _run(fleet: Fleet, count: int, milliseconds: float) -> float:
    from scheduler.models import Job
    from tests.benchmarks import scratch

    Job.objects.all().delete()
    ((newest,),) = fleet.query("SELECT coalesce(max(id), 0) FROM scheduler_run")
    scratch.add_jobs(
        task="benchmarks.compute" if milliseconds else "benchmarks.return",
        count=count,
        ahead=5,
        kwargs={"seconds": milliseconds / 1000} if milliseconds else {},
        executor="processpool",
    )

    def is_over() -> bool:
        ((done,),) = fleet.query("SELECT count(*) FROM scheduler_run WHERE id > %s AND state = 'succeeded'", newest)
        return bool(done >= count)

    fleet.wait_for(is_over, every=0.5, seconds=300)
    ((seconds,),) = fleet.query(
        "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM scheduler_run WHERE id > %s", newest
    )
    return round(count / seconds, 1)


def with_futures(counts: dict[float, int], *, processes: int, rounds: int) -> Figures:
    spawn = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        return _timed(pool.submit, counts, rounds)


def with_pebble(counts: dict[float, int], *, processes: int, rounds: int) -> Figures:
    from pebble import ProcessPool

    with ProcessPool(processes, context=multiprocessing.get_context("spawn")) as pool:
        return _timed(pool.submit, counts, rounds, leading=(None,))  # its second argument is a timeout


def _timed(submit: Any, counts: dict[float, int], rounds: int, *, leading: tuple[Any, ...] = ()) -> dict[str, Any]:
    def once(load: float, count: int) -> float:
        began = time.perf_counter()
        futures.wait([submit(compute, *leading, load / 1000) for _ in range(count)])
        return round(count / (time.perf_counter() - began), 1)

    once(0.0, 100)  # the processes start
    return {
        f"{load:g} ms": statistics.median(once(load, count) for _ in range(rounds)) for load, count in counts.items()
    }


def compute(seconds: float) -> None:
    """Use the processor for so long. 0: return at once."""
    until = time.perf_counter() + seconds
    while seconds and time.perf_counter() < until:
        pass


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return bodies a second, and their share of the better one of the others: Markdown."""
    loads = list(next(figures for figures in found.values() if "skipped" not in figures))
    others = [figures for name, figures in found.items() if not name.startswith("OpenLearn") and loads[0] in figures]
    lines = [f"| bodies/s | {' | '.join(loads)} |", f"|---|{'---:|' * len(loads)}"]
    for name, figures in found.items():
        if "skipped" in figures:
            lines.append(f"| {name} | {figures['skipped']} |")
            continue
        words = (f"{figures[load]:,.0f} ({figures[load] / max(o[load] for o in others):.2f})" for load in loads)
        lines.append(f"| {name} | {' | '.join(words)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
