"""
Queues beside each other while a transaction stays open: the same load, workers and PostgreSQL, one after the other.

    python -m tests.benchmarks.horizons [--only ours,pgqueuer] [--rate 500] [--held 2] [--queries 1] [--period 60]
                                        [--json FILE] [--svg FILE]

Each contestant gets a steady rate of short tasks: jobs with fire times, or tasks that are enqueued fifty times a second
with its call for many. The first period runs without an open transaction. Then one is held. After that queries of 40 s
overlap, so that the server can remove no row version that is younger than 20 s. Each period has how late bodies began,
how many wait, how long the statement that finds work took in the server, and dead rows.
A contestant that cannot keep up in the first period stops there. Starts a server of its own for each (fsync on, and a
fifth of all statements in its log). ``requirements-bench.txt`` has what is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import charts
from tests.benchmarks.enqueue import versions
from tests.benchmarks.horizons.contest import CONTESTANTS
from tests.benchmarks.horizons.statements import SETTINGS
from tests.postgres import Cluster

CHECKOUT = Path(__file__).resolve().parents[3]

TITLES = {
    "ours_jobs": ("OpenLearn, jobs", "one node, {workers} threads"),
    "ours": ("OpenLearn, enqueued tasks", "one node, {workers} threads"),
    "stock": ("django-apscheduler", "one process, {workers} threads"),
    "django_tasks_db": ("django-tasks-db", "{workers} worker processes, which poll ten times a second"),
    "dj_queue": ("dj-queue", "one process, {workers} threads, notifications"),
    "procrastinate": ("procrastinate", "one worker, concurrency {workers}, notifications"),
    "pgqueuer": ("PgQueuer", "one worker with coroutines, batches of 100, notifications"),
    "chancy": ("chancy", "one worker with coroutines, notifications"),
}
COLUMNS = ("late_p50_ms", "late_p99_ms", "claim_p50_ms", "claim_p99_ms", "runs", "waiting", "dead_rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CONTESTANTS))
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--held", type=int, default=2, help="periods with an open transaction")
    parser.add_argument("--queries", type=int, default=1, help="periods with overlapping queries, after that")
    parser.add_argument("--period", type=float, default=60.0, help="seconds of a period")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("rate", "workers", "held", "queries", "period")}
    facts: dict[str, Any] = {
        "command": f"python -m tests.benchmarks.horizons {' '.join(sys.argv[1:])}".strip(),
        **sizes,
        "tuning": {name: TITLES[name][1].format(workers=options.workers) for name in options.only.split(",")},
        "versions": versions(),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "contestants": {},
    }
    for name in options.only.split(","):
        facts["contestants"][name] = contest(name, **sizes)
        if options.json:
            options.json.write_text(json.dumps(facts, indent=1) + "\n")
    print(table(facts["contestants"]))
    if options.svg:
        options.svg.write_text(chart(facts))


def contest(name: str, **sizes: float) -> dict[str, Any]:
    """Measure one contestant on a server of its own; return its periods, or why it was left out."""
    print(f"{name} …", file=sys.stderr, flush=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "DJANGO_"))}
    words = [f"--{option}={value}" for option, value in sizes.items()]
    longest = sizes["period"] * (1 + sizes["held"] + sizes["queries"]) + 300
    with Cluster(settings={"max_connections": 100, **SETTINGS}) as cluster:
        cluster.psql("CREATE DATABASE horizon")
        variables = {**kept, "DATABASE_URL": cluster.url("horizon"), "BENCHMARK_WORKERS": str(sizes["workers"])}
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.benchmarks.horizons.contest", name, "--log", str(cluster.log), *words],
                cwd=CHECKOUT,
                env=variables,
                capture_output=True,
                text=True,
                check=True,
                timeout=longest,
            )
        except subprocess.TimeoutExpired:
            return {"skipped": f"It was not ready after {longest:g} s."}
        except subprocess.CalledProcessError as failed:
            return {"skipped": f"It failed: {failed.stderr.strip().splitlines()[-1:]}"}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(table({name: figures}), file=sys.stderr, flush=True)
    return figures


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return one line for each period of each contestant: Markdown."""
    lines = [
        "| | period | late p50, ms | p99 | claim p50, ms | p99 | runs | waiting | dead rows |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, figures in found.items():
        if "skipped" in figures:
            lines.append(f"| {TITLES[name][0]} | {figures['skipped']} |" + " |" * 7)
        for period in figures.get("periods", ()):
            words = ("–" if period[column] is None else f"{period[column]:,}" for column in COLUMNS)
            lines.append(f"| {TITLES[name][0]} | {period['period']}, {period['phase']} | {' | '.join(words)} |")
    return "\n".join(lines)


def chart(facts: dict[str, Any]) -> str:
    """Draw how lateness, claims and what waits change from period to period."""
    measured = {name: figures["periods"] for name, figures in facts["contestants"].items() if "periods" in figures}
    panels = [
        charts.Lines(
            title=title,
            lines=[
                charts.Line(
                    title=TITLES[name][0],
                    values=[period[column] or 0 for period in periods],
                    is_ours=name.startswith("ours"),
                )
                for name, periods in measured.items()
            ],
        )
        for column, title in PANELS.items()
    ]
    phases = max(measured.values(), key=len, default=[])
    return charts.draw_lines(
        f"{facts['rate']} tasks a second while a transaction stays open",
        panels,
        steps=[f"{place}: {period['phase']}" for place, period in enumerate(phases)],
    )


PANELS = {
    "late_p99_ms": "How late 99 of 100 bodies begin at most, ms",
    "claim_p99_ms": "Statement that finds work, p99, ms",
    "waiting": "Tasks that wait at the end of each period",
}


if __name__ == "__main__":
    main()
