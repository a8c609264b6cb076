"""
Steady load for long, with retention running: does anything drift?

    python -m tests.benchmarks.sustained [--rate 2000] [--minutes 15] [--every 10] [--json FILE]

Jobs that are due every ten seconds run on two nodes with their default settings. A clean-up goes over the ledger each
minute and deletes what ended a minute ago, but for the newest ten runs of each job, so that it soon deletes as many
rows as come. Each line is one minute: lateness, runs that were skipped or missed, bytes of table and indexes for a row,
WAL and processor time of nodes and server for a run, dead rows, and the memory of a node. Starts a server of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks import scratch
from tests.benchmarks.nodes.fleet import CHECKOUT, Fleet

NODES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=2000, help="runs a second")
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--minute", type=float, default=60.0, help="seconds of a minute, to try the command")
    parser.add_argument("--every", type=int, default=10, help="seconds between the fire times of one job")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    facts: dict[str, Any] = {
        "command": f"python -m tests.benchmarks.sustained --rate {options.rate} --minutes {options.minutes}"
        f" --every {options.every}",
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "minutes": [],
    }
    print("  minute    runs  lost  late p50/p99/max ms  rows, bytes each  WAL/run  µs/run nodes, server  dead  MB")
    with Fleet(settings={"max_wal_size": "4GB"}) as fleet:
        for minute in measure(fleet, options):
            facts["minutes"].append(minute)
            print(_line(minute), flush=True)
            if options.json:
                options.json.write_text(json.dumps(facts, indent=1) + "\n")


def measure(fleet: Fleet, options: argparse.Namespace) -> Any:
    """Yield the figures of each minute. The first begins when all jobs have been due once."""
    fleet.launch("--processes", "0", count=NODES)
    trigger = f'{{"type": "interval", "seconds": {options.every}}}'
    count = options.rate * options.every
    scratch.add_jobs(task="benchmarks.return", count=count, trigger=trigger, spread=options.every, ahead=10)
    time.sleep(10 + options.every)
    cleaner = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.nodes.cleaner", "60", "60"],
        cwd=CHECKOUT,
        env=fleet.variables,
        stdout=subprocess.DEVNULL,
    )
    try:
        before = totals(fleet)
        for minute in range(options.minutes):
            began = fleet.query("SELECT clock_timestamp()")[0][0]
            time.sleep(options.minute)
            after = totals(fleet)
            yield {"minute": minute, **used(before, after), **lateness(fleet, began), **sizes(fleet)}
            before = totals(fleet)
    finally:
        cleaner.terminate()
        cleaner.wait()


def totals(fleet: Fleet) -> dict[str, float]:
    """Return what only grows: runs, bytes of the log, processor time."""
    ((runs, wal),) = fleet.query(
        "SELECT (SELECT coalesce(sum(runs), 0)::float8 FROM scheduler_counter WHERE state = 'succeeded'),"
        "       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8"
    )
    return {"runs": runs, "wal": wal, **fleet.processor_seconds()}


def used(before: dict[str, float], after: dict[str, float]) -> dict[str, Any]:
    runs = max(1.0, after["runs"] - before["runs"])
    return {
        "runs": round(after["runs"] - before["runs"]),
        "wal_bytes_a_run": round((after["wal"] - before["wal"]) / runs),
        **{
            f"{name}_microseconds_a_run": round(1e6 * (after[name] - before[name]) / runs)
            for name in ("nodes", "server")
        },
    }


def lateness(fleet: Fleet, began: Any) -> dict[str, Any]:
    """Return how late runs of this minute began, and how many fire times were not run."""
    ((lost, late),) = fleet.query(
        """
        SELECT count(*) FILTER (WHERE state IN ('skipped', 'missed')),
               percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (
                   ORDER BY extract(epoch FROM started_at - scheduled_at)::float8)
          FROM scheduler_run
         WHERE created_at >= %s
        """,
        began,
    )
    names = ("late_p50_ms", "late_p99_ms", "late_max_ms")
    return {"lost": lost, **{name: round(1000 * (at or 0), 1) for name, at in zip(names, late or [0] * 3, strict=True)}}


def sizes(fleet: Fleet) -> dict[str, Any]:
    ((rows, table, indexes, dead),) = fleet.query(
        "SELECT (SELECT count(*) FROM scheduler_run), pg_table_size('scheduler_run'), pg_indexes_size('scheduler_run'),"
        "       (SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables)"
    )
    return {
        "rows": rows,
        "table_bytes_a_row": round(table / max(1, rows)),
        "index_bytes_a_row": round(indexes / max(1, rows)),
        "dead_rows": int(dead or 0),
        "node_rss_mb": round(max(psutil.Process(node.pid).memory_info().rss for node in fleet.nodes) / 2**20),
    }


def _line(minute: dict[str, Any]) -> str:
    return (
        f"  {minute['minute']:6}  {minute['runs']:6,}  {minute['lost']:4}"
        f"  {minute['late_p50_ms']} / {minute['late_p99_ms']} / {minute['late_max_ms']}"
        f"  {minute['rows']:,}, {minute['table_bytes_a_row']} + {minute['index_bytes_a_row']}"
        f"  {minute['wal_bytes_a_run']:7}  {minute['nodes_microseconds_a_run']}, {minute['server_microseconds_a_run']}"
        f"  {minute['dead_rows']:,}  {minute['node_rss_mb']}"
    )


if __name__ == "__main__":
    main()
