"""
This scheduler beside others: the same job, the same number, the same threads, the same PostgreSQL, one after the other.

    python -m tests.benchmarks.compare [--jobs 5000] [--threads 5] [--json FILE] [--svg FILE] [--quick]

PgQueuer, django-tasks-db, dj-queue, chancy and huey are queues: their tasks are enqueued beforehand, and are late from
the call that enqueues them. Each has the workers that its documentation advises: ``tests/benchmarks/enqueueing``.

Runs per second; how late runs begin at steady rates; start, idle processor time and memory with many jobs; how soon an
edit takes effect; what a run costs as history grows. Starts a server of its own with its default settings (fsync on).
What cannot be installed, or has nothing to be measured, is left out with a sentence; ``requirements-bench.txt`` has
what is needed. ``--quick`` measures runs per second only, of a thousand jobs, beside stock django-apscheduler.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks import charts
from tests.postgres import Cluster

CHECKOUT = Path(__file__).resolve().parents[2]

CONTESTANTS = {
    "ours_without_gate": ("OpenLearn, idempotent task", "ledger"),
    "ours": ("OpenLearn, with the start gate", "ledger"),
    "stock": ("django-apscheduler 0.7", "executions"),
    "sqlalchemy_store": ("APScheduler, SQLAlchemy store", "none"),
    "procrastinate_worker": ("procrastinate", "job rows"),
    "pgqueuer": ("PgQueuer", "log"),
    "django_tasks_db": ("django-tasks-db", "task rows"),
    "dj_queue": ("dj-queue", "job rows"),
    "chancy": ("chancy", "job rows"),
    "huey": ("huey, PostgreSQL", "none"),
    "celery_worker": ("Celery, Redis, beat, results", "results"),
    "celery_backlog": ("Celery worker alone, results", "results"),
    "memory": ("APScheduler in memory", "nothing is stored"),
}
QUICK = ("ours", "stock")
PEERS = tuple(name for name in CONTESTANTS if not name.startswith("ours") and name != "celery_backlog")

PEER_RATE = 100
"""Runs a second at which everybody is asked how late they are: stock django-apscheduler can keep up with it."""

PEER_JOBS = (10, 10_000)
EDITS = 150

LONGEST_SECONDS = 75
"""How long one measure of a peer may take, with what it needs to prepare."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--threads", type=int, default=5)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--svg", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    jobs = 1000 if options.quick else options.jobs
    with Cluster(settings={"max_connections": 100}) as cluster:
        names = QUICK if options.quick else tuple(CONTESTANTS)
        found = {name: contest(cluster, name, jobs=jobs, threads=options.threads) for name in names}
        facts: dict[str, Any] = {"runs_per_second": found, "jobs": jobs, "threads": options.threads}
        if not options.quick:
            facts |= about_ours(cluster, threads=options.threads) | about_peers(cluster, threads=options.threads)
    facts["command"] = f"python -m tests.benchmarks.compare --jobs {jobs} --threads {options.threads}"
    facts["machine"] = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    print(tables(facts))
    print(json.dumps({key: facts[key] for key in facts if key not in ("runs_per_second", "machine")}, indent=2))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    if options.svg:
        options.svg.write_text(chart(facts))


def contest(
    cluster: Cluster, name: str, *, threads: int, longest: float | None = None, **size: int | str
) -> dict[str, Any]:
    """Run one contestant in a database of its own; return its figures, or why it was skipped."""
    print(f"{name} {size} …", file=sys.stderr, flush=True)
    cluster.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    cluster.psql(f"CREATE DATABASE {name}")
    command = ["-m", "tests.benchmarks.contestants", name, "--threads", str(threads)]
    command += [word for option, value in size.items() for word in (f"--{option}", str(value))]
    try:
        text = _output(cluster, name, command, seconds=longest)
    except subprocess.TimeoutExpired:
        return {"skipped": f"It was not ready after {longest:g} s."}
    except subprocess.CalledProcessError as failed:
        return {"skipped": f"It failed: {failed.stderr.strip().splitlines()[-1:]}"}
    finally:
        cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")
    figures: dict[str, Any] = json.loads(text.splitlines()[-1])
    return figures


def about_ours(cluster: Cluster, *, threads: int) -> dict[str, Any]:
    """Lateness at steady rates, start and idleness with many jobs, and the cost of a run as history grows."""
    return {
        "lateness_ms": {rate: lateness(cluster, rate, threads) for rate in (100, 500, 1000)},
        "start_and_idle": {
            count: contest(cluster, "idle", jobs=count, threads=threads) for count in (10, 10_000, 100_000)
        },
        "edit_to_effect_ms": contest(cluster, "edits", jobs=EDITS, threads=threads),
        "runs_per_second_by_history": {
            rows: contest(cluster, "history", jobs=rows, threads=threads) for rows in (0, 100_000, 1_000_000)
        },
    }


def about_peers(cluster: Cluster, *, threads: int) -> dict[str, Any]:
    """Lateness, start and idleness of those that have such a thing."""

    def measured(name: str, **size: int | str) -> dict[str, Any]:
        return contest(cluster, name, threads=threads, longest=LONGEST_SECONDS, **size)

    return {
        "lateness_of_peers_ms": {name: measured(name, measure="lateness", rate=PEER_RATE) for name in PEERS},
        "start_and_idle_of_peers": {
            name: {count: measured(name, measure="idle", jobs=count) for count in PEER_JOBS} for name in PEERS
        },
    }


def lateness(cluster: Cluster, rate: int, threads: int) -> dict[str, float]:
    """Run the lateness benchmark and read its percentiles, in milliseconds."""
    cluster.psql("CREATE DATABASE lateness")
    command = ["-m", "tests.benchmarks.lateness", "--rate", str(rate), "--seconds", "30", "--threads", str(threads)]
    try:
        text = _output(cluster, "lateness", command)
    finally:
        cluster.psql("DROP DATABASE lateness WITH (FORCE)")
    return {name: float(value) for name, value in re.findall(r"(p50|p99|max) ([\d.]+) ms", text)}


def _output(cluster: Cluster, database: str, arguments: list[str], *, seconds: float | None = None) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "DJANGO_"))}
    variables = {**kept, "DATABASE_URL": cluster.url(database), "SECRET_KEY": "only for a benchmark"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=CHECKOUT,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds,
    )
    return done.stdout


def tables(facts: dict[str, Any]) -> str:
    """Return what is printed and what the README shows: Markdown."""
    parts = [_throughput_table(facts["runs_per_second"])]
    if "lateness_of_peers_ms" in facts:
        parts += [_lateness_table(facts), _idle_table(facts), *_remarks(facts)]
    return "\n\n".join(parts)


def _throughput_table(found: dict[str, dict[str, Any]]) -> str:
    stock = found.get("stock", {}).get("runs_per_second")
    lines = ["| | runs/s | beside django-apscheduler | history |", "|---|---:|---:|---|"]
    for name, figures in found.items():
        title, history = CONTESTANTS[name]
        if "skipped" in figures:
            lines.append(f"| {title} | – | {figures['skipped']} | {history} |")
            continue
        ratio = f"{figures['runs_per_second'] / stock:.1f} ×" if stock else "–"
        lines.append(f"| {title} | {figures['runs_per_second']:,.0f} | {ratio} | {history} |")
    return "\n".join(lines)


def _lateness_table(facts: dict[str, Any]) -> str:
    lines = [f"| ms late at {PEER_RATE} runs/s | p50 | p99 | max | runs seen |", "|---|---:|---:|---:|---:|"]
    for name, figures in _lateness(facts).items():
        seen = f"{figures['runs']:,} of {figures['expected']:,}" if "runs" in figures else ""
        words = (f"{figures[share]:,.1f}" if share in figures else "–" for share in ("p50", "p99", "max"))
        lines.append(f"| {CONTESTANTS[name][0]} | {' | '.join(words)} | {figures.get('skipped', seen)} |")
    return "\n".join(lines)


def _lateness(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {"ours": facts["lateness_ms"][PEER_RATE], **facts["lateness_of_peers_ms"]}


def _idle_table(facts: dict[str, Any]) -> str:
    lines = ["| jobs, none of them due | start, s | idle, % of a core | memory, MB |", "|---|---:|---:|---:|"]
    for name, by_count in {"ours": facts["start_and_idle"], **facts["start_and_idle_of_peers"]}.items():
        for count, figures in by_count.items():
            keys = ("start_seconds", "idle_cpu_percent", "idle_rss_mb")
            words = [f"{figures[key]:,}" if key in figures else "–" for key in keys]
            title = f"{CONTESTANTS[name][0]}, {count:,}" + (f" ({figures['skipped']})" if "skipped" in figures else "")
            lines.append(f"| {title} | {' | '.join(words)} |")
    return "\n".join(lines)


def _remarks(facts: dict[str, Any]) -> list[str]:
    edit = facts["edit_to_effect_ms"]
    if "skipped" in edit:
        return [f"Edit to effect: {edit['skipped']}"]
    return [
        f"From the commit of an edit to the begin of the run: p50 {edit['p50']} ms, p99 {edit['p99']} ms, "
        f"max {edit['max']} ms, of {edit['runs']} edits."
    ]


def chart(facts: dict[str, Any]) -> str:
    """Draw a bar for each contestant: runs per second, and lateness where it was measured."""
    rates = [
        _bar(name, figures["runs_per_second"], f"{figures['runs_per_second']:,.0f}")
        for name, figures in facts["runs_per_second"].items()
        if "jobs" in figures
    ]
    late = [
        _bar(name, figures["p99"], f"{figures['p99']:,.1f} ms")
        for name, figures in (_lateness(facts).items() if "lateness_of_peers_ms" in facts else ())
        if "p99" in figures
    ]
    return charts.draw(
        "Runs per second, jobs due at once",
        [
            charts.Panel(title="Runs per second, all jobs due at once (more is better)", bars=rates),
            charts.Panel(
                title=f"How late 99 of 100 runs are at most, at {PEER_RATE} runs/s (less is better)", bars=late
            ),
        ],
    )


def _bar(name: str, value: float, text: str) -> charts.Bar:
    title, history = CONTESTANTS[name]
    return charts.Bar(title=title, value=value, text=text, hint=history, is_ours=title.startswith("OpenLearn"))


if __name__ == "__main__":
    main()
