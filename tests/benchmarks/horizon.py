"""
A transaction that stays open while jobs fire at a steady rate, as a dump or a forgotten shell leaves one.

    python -m tests.benchmarks.horizon [--rate 1000] [--every 1] [--minutes 3] [--past 0] [--queries] [--json FILE]

The server keeps every row version that such a transaction could still see, so whatever reads the past of a queue gets
slower from minute to minute. The first minute runs without the open transaction, then it is held until the end.
``--past`` writes, with SQL, what so many minutes would have left, so that the end of an hour can be measured without
waiting for it. ``--queries`` adds overlapping analytic queries of 40 s over the whole ledger. Each line is one minute:
the time of a claim, lateness, fire times that were skipped or missed, runs that wait, and dead rows.

Uses a scratch database beside the configured one.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import timedelta
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
    parser.add_argument("--past", type=int, default=0, help="minutes of the transaction that are written with SQL")
    parser.add_argument("--threads", type=int, default=5)
    parser.add_argument("--queries", action="store_true", help="run overlapping analytic queries of 40 s, too")
    parser.add_argument("--json", type=Path, help="write the minutes to this file")
    options = parser.parse_args()
    with scratch.database():
        minutes = measure(
            rate=options.rate,
            every=options.every,
            minutes=options.minutes,
            past=options.past,
            threads=options.threads,
            with_queries=options.queries,
        )
    if options.json:
        options.json.write_text(
            json.dumps(
                {"rate": options.rate, "every": options.every, "past_minutes": options.past, "minutes": minutes},
                indent=1,
            )
            + "\n"
        )


def measure(
    *, rate: int, every: int, minutes: int, past: int, threads: int, with_queries: bool
) -> list[dict[str, Any]]:
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
                    leave_past(rounds=past * 60 // every, every=every)
                    if with_queries:
                        held.enter_context(analytic_queries())
                claims.clear()
                work(node, seconds=60)
                figures.append({"minute": minute, **claim_figures(claims), **ledger_figures()})
                print(_line(figures[-1]), flush=True)
    finally:
        node.stop(grace_seconds=5)
    return figures


def leave_past(*, rounds: int, every: int) -> None:
    """
    Write the row versions that so many fire times of each job leave: of jobs, runs, roll-ups and counters.

    The node does no pass meanwhile. Afterwards the jobs are due as before, at later fire times.
    """
    from django.db import connection

    from scheduler.models import Run
    from scheduler.store.recording import rollups

    names = [field.column for field in Run._meta.concrete_fields if field.column not in {"id", *OF_A_NEW_RUN}]
    copied = ", ".join(names)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE sample AS SELECT DISTINCT ON (job_id) * FROM scheduler_run ORDER BY job_id, id"
        )
        cursor.execute("SELECT set_config('scheduler.accounts', 'claim', false)")
        cursor.execute(MOVE_JOBS, [timedelta(seconds=-3600 - rounds * every)])
        for number in range(rounds, 0, -1):
            ago = timedelta(seconds=3600 + number * every)
            cursor.execute("SELECT max(id) FROM scheduler_run")
            ((last,),) = cursor.fetchall()
            cursor.execute(
                f"INSERT INTO scheduler_run ({copied}, {', '.join(OF_A_NEW_RUN)})"  # noqa: S608 - columns of the model
                f" SELECT {copied}, scheduled_at - %s, 'queued', NULL, NULL FROM sample",
                [ago],
            )
            cursor.execute("UPDATE scheduler_run SET state = 'running', started_at = now() WHERE id > %s", [last])
            cursor.execute("UPDATE scheduler_run SET state = 'succeeded', finished_at = now() WHERE id > %s", [last])
            cursor.execute(MOVE_JOBS, [timedelta(seconds=every)])
            cursor.execute("UPDATE scheduler_rollup SET succeeded = succeeded + 1")
        flushes = {"flushes": rounds * every * FLUSHES_A_SECOND, "changes": rollups.CHANGES_OF_A_KEY}
        cursor.execute(LEAVE_COUNTERS, flushes)
        cursor.execute(GO_ON, [every])
        cursor.execute("SELECT set_config('scheduler.accounts', '', false)")
        cursor.execute("DROP TABLE sample")


MOVE_JOBS = "UPDATE django_apscheduler_djangojob SET next_run_time = next_run_time + %s"
GO_ON = """
UPDATE django_apscheduler_djangojob
   SET next_run_time = next_run_time + behind.rounds * behind.every
  FROM (SELECT every, ceil(extract(epoch FROM clock_timestamp() + interval '5 seconds' - min(next_run_time))
                           / extract(epoch FROM every)) AS rounds
          FROM django_apscheduler_djangojob, make_interval(secs => %s) AS every
         GROUP BY every) AS behind
"""
"""Jobs are due from five seconds on: the node, a thread of this process, did no pass while the past was written."""

OF_A_NEW_RUN = ("scheduled_at", "state", "started_at", "finished_at")
FLUSHES_A_SECOND = 40

LEAVE_COUNTERS = """
DO $$
DECLARE
    sample scheduler_counter;
    own tid;
    place tid;
BEGIN
    SELECT * INTO sample FROM scheduler_counter AS counter WHERE state = 'succeeded' LIMIT 1;
    SELECT ctid INTO own
      FROM scheduler_counter AS counter
     WHERE state = 'succeeded' AND EXISTS (SELECT 1 FROM scheduler_node AS node WHERE node.id = counter.node);
    FOR key IN 1..%(flushes)s / %(changes)s LOOP
        INSERT INTO scheduler_counter (node, task, state, runs, run_seconds, run_buckets, lag_seconds, lag_buckets)
        SELECT gen_random_uuid(), sample.task, sample.state, sample.runs, sample.run_seconds, sample.run_buckets,
               sample.lag_seconds, sample.lag_buckets
        RETURNING ctid INTO place;
        FOR change IN 2..%(changes)s LOOP
            UPDATE scheduler_counter SET runs = runs WHERE ctid = place RETURNING ctid INTO place;
        END LOOP;
        DELETE FROM scheduler_counter WHERE ctid = place;
        UPDATE scheduler_counter SET runs = runs WHERE ctid = own RETURNING ctid INTO own;
    END LOOP;
END $$
"""


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
