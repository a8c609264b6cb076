"""
Jobs of the scratch database that are due at one instant, on nodes in processes of their own.

``python -m tests.benchmarks.due_together`` is such a node: it works until its standard input is closed.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import scratch

_CHECKOUT = Path(__file__).resolve().parents[2]
_AHEAD_SECONDS = 15
_PATIENCE_SECONDS = 300.0


def measure(*, jobs: int, nodes: int, threads: int) -> dict[str, Any]:
    """Let the first active jobs, by their ids, be due at one instant. Return how late their runs began."""
    from django.db import connection

    with _nodes(nodes, threads=threads):
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE django_apscheduler_djangojob AS parent
                   SET next_run_time = date_trunc('second', now()) + %s * interval '1 second'
                  FROM (SELECT job.djangojob_ptr_id AS id FROM scheduler_job AS job
                         WHERE job.state = 'active' ORDER BY 1 LIMIT %s) AS chosen
                 WHERE parent.id = chosen.id
                RETURNING parent.next_run_time
                """,
                [_AHEAD_SECONDS, jobs],
            )
            [at] = {moment for (moment,) in cursor.fetchall()}
        return _late(at, expected=jobs)


def _late(at: Any, *, expected: int) -> dict[str, Any]:
    from django.db import connection

    pause = threading.Event()
    ends_at = time.monotonic() + _PATIENCE_SECONDS
    with connection.cursor() as cursor:
        while time.monotonic() < ends_at:
            cursor.execute(
                """
                SELECT count(*), percentile_disc(ARRAY[0.0, 0.5, 0.99, 1.0])
                                 WITHIN GROUP (ORDER BY extract(epoch FROM started_at - scheduled_at)::float8)
                  FROM scheduler_run WHERE scheduled_at = %s AND started_at IS NOT NULL
                """,
                [at],
            )
            begun, shares = cursor.fetchone()
            if begun >= expected:
                break
            pause.wait(1)
    names = ("first begun after seconds", "p50", "p99", "last begun after seconds")
    return {
        "due": expected,
        "begun": begun,
        **dict(zip(names, (round(each, 3) for each in shares or ()), strict=False)),
    }


@contextmanager
def _nodes(number: int, *, threads: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.benchmarks.due_together", str(threads)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_CHECKOUT, text=True)
        for _ in range(number)
    ]
    try:
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "Started.\n"
        yield
    finally:
        for each in started:
            each.communicate()


def main() -> None:
    with scratch.attached():
        node = scratch.node(threads=int(sys.argv[1]))
        node.start()
        over = threading.Event()
        threading.Thread(target=_wait_for_the_end, args=(node, over), daemon=True).start()
        print("Started.", flush=True)
        while not over.is_set():
            pause = node.run_once()
            if pause > 0:
                node.wakeups.sleep(timeout=pause)
        node.stop(grace_seconds=5)


def _wait_for_the_end(node: Any, over: threading.Event) -> None:
    sys.stdin.read()
    over.set()
    node.wakeups.wake()


if __name__ == "__main__":
    main()
