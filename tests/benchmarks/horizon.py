"""
A transaction that stays open while jobs fire at a steady rate, as a dump or a forgotten shell leaves one.

    python -m tests.benchmarks.horizon [--rate 1000] [--every 1] [--minutes 3] [--queries] [--json FILE]

The server keeps every row version that such a transaction could still see, so whatever reads the past of a queue gets
slower from minute to minute. The first minute runs without the open transaction, then it is
held until the end. ``--queries`` adds overlapping analytic queries of 40 s over the whole ledger. Each line is one
minute: the time of a claim, lateness, fire times that were skipped or missed, runs that wait, and dead rows.

Uses a scratch database beside the configured one.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import scratch

QUERY_SECONDS = 40
QUERY_EVERY_SECONDS = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1000, help="runs a second")
    parser.add_argument("--every", type=int, default=1, help="seconds between the fire times of one job")
    parser.add_argument("--minutes", type=int, default=3, help="how long the transaction is held")
    parser.add_argument("--threads", type=int, default=5)
    parser.add_argument("--queries", action="store_true", help="run overlapping analytic queries of 40 s, too")
    parser.add_argument("--json", type=Path, help="write the minutes to this file")
    options = parser.parse_args()
    with scratch.database():
        minutes = measure(
            rate=options.rate,
            every=options.every,
            minutes=options.minutes,
            threads=options.threads,
            with_queries=options.queries,
        )
    if options.json:
        options.json.write_text(
            json.dumps({"rate": options.rate, "every": options.every, "minutes": minutes}, indent=1) + "\n"
        )


def measure(*, rate: int, every: int, minutes: int, threads: int, with_queries: bool) -> list[dict[str, Any]]:
    """Run one minute without and ``minutes`` with the open transaction, and return the figures of each minute."""
    scratch.empty()
    trigger = f'{{"type": "interval", "seconds": {every}}}'
    scratch.add_jobs(task="benchmarks.nothing", count=rate * every, trigger=trigger, spread=every)
    node = scratch.node(threads=threads)
    figures: list[dict[str, Any]] = []
    node.start()
    try:
        with timed_claims() as claims, ExitStack() as held:
            print("  minute  claim p50/p99 ms  late p50/p99 ms  runs  lost  waiting  dead rows", flush=True)
            for minute in range(minutes + 1):
                if minute == 1:
                    held.enter_context(open_transaction())
                    if with_queries:
                        held.enter_context(analytic_queries())
                claims.clear()
                work(node, seconds=60)
                figures.append({"minute": minute, **claim_figures(claims), **ledger_figures()})
                print(_line(figures[-1]), flush=True)
    finally:
        node.stop(grace_seconds=5)
    return figures


def work(node: Any, *, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        pause = node.run_once()
        if pause > 0:
            node.wakeups.sleep(timeout=pause)


@contextmanager
def timed_claims() -> Any:
    """Yield a list that receives the seconds of each claim, while it is open."""
    from scheduler.engine.duties import claim

    original: Callable[..., Any] = claim.claims.claim_due
    took: list[float] = []

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return original(*args, **kwargs)
        finally:
            took.append(time.perf_counter() - began)

    claim.claims.claim_due = timed  # type: ignore[assignment]
    try:
        yield took
    finally:
        claim.claims.claim_due = original


@contextmanager
def open_transaction() -> Any:
    """A transaction with a snapshot and a number of its own, left open."""
    session = _session()
    with session.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_current_xact_id(), count(*) FROM scheduler_run")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
            session.close()


@contextmanager
def analytic_queries() -> Any:
    """Start a query of 40 s over the whole ledger every 20 s, until the end."""
    ended = threading.Event()

    def query() -> None:
        session = _session()
        with session.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SELECT count(*), pg_sleep(%s) FROM scheduler_run", [QUERY_SECONDS])
        session.close()

    def start() -> None:
        while not ended.wait(QUERY_EVERY_SECONDS):
            threading.Thread(target=query, daemon=True).start()

    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    try:
        yield
    finally:
        ended.set()
        starter.join()


def _session() -> Any:
    from django.db import connection

    session = connection.copy()
    session.inc_thread_sharing()
    return session


def claim_figures(claims: list[float]) -> dict[str, float]:
    ordered = sorted(claims)
    at = {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in SHARES.items()}
    return {f"claim_{name}_ms": round(1000 * value, 1) for name, value in at.items()}


SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def ledger_figures() -> dict[str, Any]:
    """Return what the last minute of the ledger says."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FILTER (WHERE state = 'succeeded'),
                   count(*) FILTER (WHERE state IN ('skipped', 'missed')),
                   percentile_disc(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (
                       ORDER BY extract(epoch FROM started_at - scheduled_at)::float8)
              FROM scheduler_run
             WHERE created_at > now() - interval '60 seconds'
            """
        )
        runs, lost, late = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM scheduler_run WHERE state IN ('queued', 'running')")
        (waiting,) = cursor.fetchone()
        cursor.execute(
            "SELECT sum(n_dead_tup) FROM pg_stat_user_tables"
            " WHERE relname IN ('scheduler_run', 'scheduler_job', 'django_apscheduler_djangojob')"
        )
        (dead,) = cursor.fetchone()
    names = (f"late_{name}_ms" for name in SHARES)
    figures = {name: round(1000 * value, 1) for name, value in zip(names, late or [0.0] * 3, strict=True)}
    return {**figures, "runs": runs, "lost": lost, "waiting": waiting, "dead_rows": int(dead or 0)}


def _line(minute: dict[str, Any]) -> str:
    return (
        f"  {minute['minute']:6}  {minute['claim_p50_ms']:7} / {minute['claim_p99_ms']:6}"
        f"  {minute['late_p50_ms']:6} / {minute['late_p99_ms']:6}"
        f"  {minute['runs']:6,}  {minute['lost']:4}  {minute['waiting']:7}  {minute['dead_rows']:,}"
    )


if __name__ == "__main__":
    main()
