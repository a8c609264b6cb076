"""
Many nodes on one server: bodies that sleep, so that the nodes compete for work and not for the processor.

    python -m tests.benchmarks.many_nodes [--nodes 2,8,16,32,64] [--seconds 15] [--sleep 1] [--json FILE]

Each node has five threads, and each body sleeps for a second: N nodes can run 5 N bodies a second. So many tasks are
enqueued that all are busy for the time measured. A line has the share of that rate, the sessions that waited for a lock
or a latch on average, transactions that were rolled back, connections, and processor time. Nodes have their default
settings, with a pacemaker each. Starts a server of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import threading
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.nodes.fleet import Fleet

THREADS = 5
_SAMPLES_A_SECOND = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="2,8,16,32,64")
    parser.add_argument("--seconds", type=int, default=15, help="how long each number of nodes is measured")
    parser.add_argument("--sleep", type=float, default=1.0, help="seconds that a body sleeps")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    counts = sorted(int(count) for count in options.nodes.split(","))
    found = []
    print("  nodes  runs/s  of the best possible  connections  waiting for locks  CPU nodes, server", flush=True)
    with Fleet(settings={"max_connections": 1000}) as fleet:
        for count in counts:
            found.append(measure(fleet, count=count, seconds=options.seconds, sleep=options.sleep))
            print(_line(found[-1]), flush=True)
    if options.json:
        facts = {
            "command": f"python -m tests.benchmarks.many_nodes --nodes {options.nodes} --seconds {options.seconds}"
            f" --sleep {options.sleep:g}",
            "threads": THREADS,
            "nodes": found,
            "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


def measure(fleet: Fleet, *, count: int, seconds: int, sleep: float) -> dict[str, Any]:
    """Start nodes until there are ``count``, keep them busy and return the figures."""
    missing = count - len(fleet.nodes)
    began = time.monotonic()
    fleet.launch("--threads", str(THREADS), "--processes", "0", count=missing)
    started = time.monotonic() - began
    most = THREADS * count / sleep
    enqueue(fleet, count=int(most * (seconds + _WARM_UP_SECONDS + 5)), sleep=sleep)
    time.sleep(_WARM_UP_SECONDS)
    before, used, statistics = finished(fleet), fleet.processor_seconds(), server_statistics(fleet)
    with Watch(fleet) as watch:
        began = time.monotonic()
        time.sleep(seconds)
        took = time.monotonic() - began
    runs = finished(fleet) - before
    after, gone_by = fleet.processor_seconds(), server_statistics(fleet)
    figures = {
        "nodes": count,
        "started_in_seconds": round(started, 1),
        "runs_per_second": round(runs / took, 1),
        "share_of_the_best": round(runs / took / most, 3),
        "rolled_back_per_second": round((gone_by["rolled_back"] - statistics["rolled_back"]) / took, 2),
        "transactions_per_run": round((gone_by["committed"] - statistics["committed"]) / max(1, runs), 2),
        "deadlocks": gone_by["deadlocks"] - statistics["deadlocks"],
        **watch.figures(),
        **{f"processor_share_{name}": round((after[name] - used[name]) / took, 3) for name in used},
    }
    fleet.query("UPDATE scheduler_run SET expires_at = now() WHERE finished_at IS NULL AND node IS NULL")
    fleet.wait_for(lambda: not fleet.query("SELECT 1 FROM scheduler_run WHERE finished_at IS NULL LIMIT 1"))
    return figures


_WARM_UP_SECONDS = 5


def enqueue(fleet: Fleet, *, count: int, sleep: float) -> None:
    fleet.query(
        """
        INSERT INTO scheduler_run (job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state,
                                   executor, priority, held, coalesced, queue, public_id, created_at, reason,
                                   requested_by, log, traceback)
        SELECT '', '', 'benchmarks.sleep', '[]', jsonb_build_object('seconds', %s::float8), now(), now(), 'enqueued', 1,
               'queued', 'default', 0, false, 0, 'default', gen_random_uuid(), now(), '', '', '', ''
          FROM generate_series(1, %s)
        """,
        sleep,
        count,
    )
    fleet.query("ANALYZE scheduler_run")
    fleet.query("SELECT pg_notify('scheduler_runs', '')")


def finished(fleet: Fleet) -> int:
    ((count,),) = fleet.query("SELECT count(*) FROM scheduler_run WHERE state = 'succeeded'")
    return int(count)


def server_statistics(fleet: Fleet) -> dict[str, int]:
    ((committed, rolled_back, deadlocks),) = fleet.query(
        "SELECT xact_commit, xact_rollback, deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    return {"committed": committed, "rolled_back": rolled_back, "deadlocks": deadlocks}


class Watch:
    """Looks at the sessions some times a second, in a thread of its own."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._samples: list[tuple[int, int, int]] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(1 / _SAMPLES_A_SECOND):
            self._samples += self._fleet.query(
                "SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock'),"
                "       count(*) FILTER (WHERE wait_event_type = 'LWLock')"
                "  FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'benchmark'"
            )

    def figures(self) -> dict[str, float]:
        looks = max(1, len(self._samples))
        return {
            "connections": max((sessions for sessions, _, _ in self._samples), default=0),
            "sessions_waiting_for_locks": round(sum(locks for _, locks, _ in self._samples) / looks, 3),
            "sessions_waiting_for_latches": round(sum(latches for _, _, latches in self._samples) / looks, 3),
        }


def _line(figures: dict[str, Any]) -> str:
    return (
        f"  {figures['nodes']:5}  {figures['runs_per_second']:6,}  {100 * figures['share_of_the_best']:18.1f} %"
        f"  {figures['connections']:11}  {figures['sessions_waiting_for_locks']:17}"
        f"  {figures['processor_share_nodes']}, {figures['processor_share_server']}"
    )


if __name__ == "__main__":
    main()
