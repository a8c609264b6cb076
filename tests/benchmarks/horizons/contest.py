"""Measure one contestant on ``DATABASE_URL``, minute by minute. The last line is JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg2

from tests.benchmarks.enqueueing import body
from tests.benchmarks.enqueueing.contestant import Contestant
from tests.benchmarks.horizons import scheduled
from tests.benchmarks.horizons.statements import Log

CONTESTANTS = {
    "ours_jobs": ("horizons.scheduled", "OurJobs", "claim_due_jobs_|FROM django_apscheduler_djangojob AS parent"),
    "ours": ("enqueueing.ours", "Ours", "take_runs_"),
    "stock": ("horizons.scheduled", "Stock", "^SELECT.*next_run_time. <= "),
    "django_tasks_db": ("enqueueing.django_tasks_db", "DjangoTasksDb", "SKIP LOCKED"),
    "dj_queue": ("enqueueing.dj_queue", "DjQueue", "SKIP LOCKED"),
    "procrastinate": ("enqueueing.procrastinate_app", "Procrastinate", "procrastinate_fetch_job"),
    "pgqueuer": ("enqueueing.pgqueuer_app", "PgQueuerContestant", "SKIP LOCKED"),
    "chancy": ("enqueueing.chancy_app", "ChancyContestant", "SKIP LOCKED"),
}
"""Module, class, and the pattern of the statement that finds what is due."""

BATCHES_A_SECOND = 50
QUERY_SECONDS = 40
QUERY_EVERY_SECONDS = 20

_PATIENCE_SECONDS = 60
_START_SECONDS = 2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTESTANTS)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--held", type=int, default=2, help="periods with an open transaction")
    parser.add_argument("--queries", type=int, default=1, help="periods with overlapping queries, after that")
    parser.add_argument("--period", type=float, default=60.0, help="seconds of a period")
    parser.add_argument("--log", type=Path, required=True, help="the log of the server")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ[body.VARIABLE] = str(Path(folder) / "begun")
        body.forget()
        try:
            periods = measure(options)
        except (ImportError, FileNotFoundError) as missing:
            print(json.dumps({"skipped": f"It cannot be run here: {missing}."}))
            return
    print(json.dumps({"periods": periods}))


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    module, name, pattern = CONTESTANTS[options.name]
    made = getattr(importlib.import_module(f"tests.benchmarks.{module}"), name)
    contestant: Contestant = made(workers=options.workers)
    contestant.prepare()
    load = Load(contestant, rate=options.rate)
    found = []
    with contestant.running(), ExitStack() as held:
        load.start()
        log, begun = Log(options.log), Begun()
        for period in range(1 + options.held + options.queries):
            if period == 1:
                held.enter_context(open_transaction(contestant.table))
            if period == 1 + options.held:
                held.close()
                held.enter_context(analytic_queries(contestant.table))
            load.go_on(options.period)
            found.append(
                {
                    "period": period,
                    "phase": phase(period, held=options.held),
                    **begun.figures(),
                    "waiting": max(0, load.asked() - begun.count),
                    **statement_figures(log.durations(pattern)),
                    "dead_rows": dead_rows(),
                }
            )
            print(json.dumps(found[-1]), flush=True)
            if is_hopeless(found[-1], rate=options.rate, seconds=options.period):
                break
    return found


def phase(period: int, *, held: int) -> str:
    return "calm" if not period else "transaction" if period <= held else "queries"


def is_hopeless(period: dict[str, Any], *, rate: int, seconds: float) -> bool:
    """Whether it ran less than nine tenths of its load before anything was open: it does not keep up with the rate."""
    return bool(period["phase"] == "calm" and period["runs"] < 0.9 * rate * seconds and period["waiting"] > rate)


class Load:
    """A steady rate of tasks, enqueued fifty times a second, or jobs that are due one after the other."""

    def __init__(self, contestant: Contestant, *, rate: int) -> None:
        self._contestant, self._rate = contestant, rate
        self._enqueued = 0
        self._is_scheduled = isinstance(contestant, scheduled.Scheduled)
        if isinstance(contestant, scheduled.Scheduled):
            contestant.schedule(rate)

    def start(self) -> None:
        """Wait until a worker has run a task, or the first job is due."""
        if isinstance(self._contestant, scheduled.Scheduled):
            time.sleep(max(0.0, self._contestant.first_due - time.time()))
        else:
            self._contestant.enqueue_many(1)
            until = time.monotonic() + _PATIENCE_SECONDS
            while not body.begun() and time.monotonic() < until:
                time.sleep(0.1)
            time.sleep(_START_SECONDS)  # where there are several, others are about to start
            body.forget()
        self._began = self._next_at = time.time()

    def go_on(self, seconds: float) -> None:
        """Enqueue for so long. What could not be enqueued in time is enqueued as soon as possible."""
        ends_at = time.time() + seconds
        while (now := time.time()) < ends_at:
            if self._is_scheduled:
                time.sleep(ends_at - now)
            elif now < self._next_at:
                time.sleep(self._next_at - now)
            else:
                self._contestant.enqueue_many(self._rate // BATCHES_A_SECOND, at=self._next_at)
                self._enqueued += self._rate // BATCHES_A_SECOND
                self._next_at += 1 / BATCHES_A_SECOND

    def asked(self) -> int:
        """Return how many should have begun by now."""
        return int((time.time() - self._began) * self._rate)


class Begun:
    """The bodies that began, read from where the last look ended."""

    def __init__(self) -> None:
        self.count = 0
        self._place = 0

    def figures(self) -> dict[str, Any]:
        """Return how many began since the last call, and how late."""
        with Path(os.environ[body.VARIABLE]).open(encoding="ascii") as file:
            file.seek(self._place)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._place += len(whole)
        times = [line.split() for line in whole.splitlines()]
        late = sorted(1000 * (float(began) - float(at)) for began, at in times)
        self.count += len(late)
        found = {f"late_{name}_ms": share_of(late, share) for name, share in SHARES.items()}
        return {"runs": len(late), **found}


SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def share_of(ordered: list[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2) if ordered else None


def statement_figures(milliseconds: list[float]) -> dict[str, Any]:
    found = {f"claim_{name}_ms": share_of(milliseconds, share) for name, share in SHARES.items()}
    return {"claims_seen": len(milliseconds), **found}


def dead_rows() -> int:
    session = _session()
    with session.cursor() as cursor:
        cursor.execute("SELECT sum(n_dead_tup)::bigint FROM pg_stat_user_tables")
        ((dead,),) = cursor.fetchall()
    session.close()
    return int(dead or 0)


@contextmanager
def open_transaction(table: str | None) -> Iterator[None]:
    """A transaction with a snapshot and a number of its own, left open."""
    session = _session()
    with session.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(f"SELECT pg_current_xact_id(), count(*) FROM {table}")  # noqa: S608 - of a contestant
    try:
        yield
    finally:
        session.close()


@contextmanager
def analytic_queries(table: str | None) -> Iterator[None]:
    """Start a query of 40 s over the whole table every 20 s, until the end."""
    ended = threading.Event()

    def query() -> None:
        session = _session()
        with session.cursor() as cursor:
            cursor.execute(f"SELECT count(*), pg_sleep({QUERY_SECONDS}) FROM {table}")  # noqa: S608
        session.close()

    def start() -> None:
        while True:
            threading.Thread(target=query, daemon=True).start()
            if ended.wait(QUERY_EVERY_SECONDS):
                return

    starter = threading.Thread(target=start, daemon=True)
    starter.start()
    try:
        yield
    finally:
        ended.set()
        starter.join()


def _session() -> Any:
    session = psycopg2.connect(os.environ["DATABASE_URL"])
    session.autocommit = True
    return session


if __name__ == "__main__":
    main()
