"""
A flood: a million jobs due at one instant on two nodes.

    python -m tests.benchmarks.flood [--jobs 1000000] [--kill] [--ledger 0] [--clean-up] [--json FILE]

``--kill`` kills one of the nodes half-way. ``--ledger`` fills the ledger with so many older rows before, and
``--clean-up`` deletes these during the flood. Nodes have six threads and their default settings. The figures are the
rate, when the first body began after the instant, and the memory of the node that lives. Starts a server of its own.
The campaign ``flood`` examines the same with 100,000 jobs, a trigger that watches the ledger, and quicker heartbeats.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks import scratch
from tests.benchmarks.contestants.history import fill
from tests.benchmarks.nodes.fleet import CHECKOUT, Fleet

THREADS = 6
_LONGEST_SECONDS = 900
_LEAD_SECONDS = 10
_UPDATED_A_SECOND = 12_000
"""Jobs whose next fire time is set a second, at least. The instant lies so far ahead that it is before them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--kill", action="store_true", help="kill one of the nodes half-way")
    parser.add_argument("--ledger", type=int, default=0, help="rows that are there before")
    parser.add_argument("--clean-up", action="store_true", help="delete these rows meanwhile")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with Fleet() as fleet:
        figures = measure(
            fleet, jobs=options.jobs, is_killed=options.kill, ledger=options.ledger, is_cleaned=options.clean_up
        )
    facts = {
        "command": f"python -m tests.benchmarks.flood {' '.join(sys.argv[1:])}".strip(),
        "jobs": options.jobs,
        "threads": THREADS,
        "killed": options.kill,
        "ledger": options.ledger,
        "clean_up": options.clean_up,
        "figures": figures,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
    }
    print(json.dumps(facts, indent=1))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


def measure(fleet: Fleet, *, jobs: int, is_killed: bool, ledger: int, is_cleaned: bool) -> dict[str, Any]:
    instant = prepare(fleet, jobs=jobs, ledger=ledger)
    cleaner = _start_cleaner(fleet, seconds=(instant - _now(fleet)).total_seconds()) if is_cleaned else None
    killed, survivor = fleet.nodes[0], psutil.Process(fleet.nodes[1].pid)
    resident: list[float] = []
    done, killed_after = 0, None
    until = time.monotonic() + _LONGEST_SECONDS
    while done < jobs and time.monotonic() < until:
        time.sleep(0.5)
        done = finished(fleet)
        if done:
            resident.append(survivor.memory_info().rss / 2**20)
        if is_killed and killed_after is None and done > jobs / 2:
            killed.kill()
            killed.wait()
            killed_after = done
    used = fleet.processor_seconds()
    ended = _drained(fleet, jobs=jobs, instant=instant)
    if cleaner is not None:
        if ledger:  # a small flood is over before the clean-up has begun
            fleet.wait_for(lambda: _old_rows(fleet) < ledger)
        cleaner.terminate()
        cleaner.wait()
    third = resident[len(resident) // 3 :] or [0.0]
    return {
        **ended,
        "killed_after_runs": killed_after,
        "rss_mb": {"third": round(third[0]), "end": round(third[-1]), "max": round(max(resident, default=0.0))},
        "processor_seconds": {name: round(seconds, 1) for name, seconds in used.items()},
        "old_rows_left": _old_rows(fleet) if ledger else 0,
    }


def prepare(fleet: Fleet, *, jobs: int, ledger: int) -> datetime:
    """Add the jobs, start the nodes, and then let all jobs be due at the instant that is returned."""
    if ledger:
        fill(ledger)
    scratch.add_jobs(task="benchmarks.return", count=jobs, ahead=86_400, rerun_if_interrupted=True)
    fleet.launch("--threads", str(THREADS), "--processes", "0", count=2)
    instant = _now(fleet) + timedelta(seconds=_LEAD_SECONDS + 1.5 * jobs / _UPDATED_A_SECOND)
    fleet.query("UPDATE django_apscheduler_djangojob SET next_run_time = %s", instant)
    fleet.query("VACUUM ANALYZE django_apscheduler_djangojob, scheduler_job")
    fleet.query("CHECKPOINT")
    fleet.query("SELECT pg_notify('scheduler_jobs', '')")
    if _now(fleet) > instant:
        raise RuntimeError("The jobs were due before all of them had been written.")
    return instant


def finished(fleet: Fleet) -> int:
    """Return the runs that have succeeded, from the totals: counting the ledger takes a part of a second."""
    ((count,),) = fleet.query(
        "SELECT coalesce(sum(runs), 0) FROM scheduler_counter WHERE task = 'benchmarks.return' AND state = 'succeeded'"
    )
    return int(count)


def _drained(fleet: Fleet, *, jobs: int, instant: datetime) -> dict[str, Any]:
    ((first, most, last, runs, interrupted),) = fleet.query(
        "SELECT min(started_at), percentile_disc(0.99) WITHIN GROUP (ORDER BY finished_at), max(finished_at),"
        "       count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'interrupted')"
        "  FROM scheduler_run WHERE task = 'benchmarks.return' AND finished_at IS NOT NULL AND job_key LIKE 'bench-%%'"
    )
    began, nearly_all, ended = ((at - instant).total_seconds() for at in (first, most, last))
    return {
        "first_begins_after_seconds": round(began, 3),
        "99_percent_ended_after_seconds": round(nearly_all, 1),
        "drained_after_seconds": round(ended, 1),
        "runs_per_second": round(runs / ended),
        "runs_per_second_of_99_percent": round(0.99 * runs / nearly_all),
        "runs": runs,
        "interrupted_and_run_again": interrupted,
        "not_run": jobs - runs,
    }


def _start_cleaner(fleet: Fleet, *, seconds: float) -> subprocess.Popen[bytes]:
    """Let the clean-up begin some seconds before the instant, and wait until then."""
    time.sleep(max(0.0, seconds - 3))
    with fleet.output.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.nodes.cleaner", "600", "600"],
            cwd=CHECKOUT,
            env=fleet.variables,
            stdout=file,
            stderr=subprocess.STDOUT,
        )


def _old_rows(fleet: Fleet) -> int:
    ((count,),) = fleet.query("SELECT count(*) FROM scheduler_run WHERE job_key LIKE 'old-%%'")
    return int(count)


def _now(fleet: Fleet) -> datetime:
    ((now,),) = fleet.query("SELECT clock_timestamp()")
    at: datetime = now
    return at


if __name__ == "__main__":
    main()
