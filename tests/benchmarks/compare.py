"""
This scheduler beside others: the same job, the same number, the same threads, the same PostgreSQL, one after the other.

    python -m tests.benchmarks.compare [--jobs 5000] [--threads 5] [--json FILE] [--svg FILE] [--quick]

Starts a server of its own with its default settings (fsync on). What cannot be installed is left out, with a sentence;
``requirements-bench.txt`` has what is needed. ``--quick`` measures runs per second only, of a thousand jobs, beside
stock django-apscheduler.
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

from tests.postgres import Cluster

CHECKOUT = Path(__file__).resolve().parents[2]

CONTESTANTS = {
    "ours_without_gate": ("OpenLearn, idempotent task", "ledger"),
    "ours": ("OpenLearn, with the start gate", "ledger"),
    "stock": ("django-apscheduler 0.7", "executions"),
    "sqlalchemy_store": ("APScheduler, SQLAlchemy store", "none"),
    "procrastinate_worker": ("procrastinate", "job rows"),
    "celery_worker": ("Celery, Redis, beat, results", "results"),
    "memory": ("APScheduler in memory", "nothing is stored"),
}
QUICK = ("ours", "stock")


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
            facts |= about_ours(cluster, threads=options.threads)
    facts["command"] = f"python -m tests.benchmarks.compare --jobs {jobs} --threads {options.threads}"
    facts["machine"] = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    print(table(found))
    print(json.dumps({key: facts[key] for key in facts if key not in ("runs_per_second", "machine")}, indent=2))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    if options.svg:
        options.svg.write_text(chart(found))


def contest(cluster: Cluster, name: str, *, jobs: int, threads: int) -> dict[str, Any]:
    """Run one contestant in a database of its own; return its figures, or why it was skipped."""
    print(f"{name} …", file=sys.stderr, flush=True)
    cluster.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    cluster.psql(f"CREATE DATABASE {name}")
    command = ["-m", "tests.benchmarks.contestants", name, "--jobs", str(jobs), "--threads", str(threads)]
    try:
        text = _output(cluster, name, command)
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
        "runs_per_second_by_history": {
            rows: contest(cluster, "history", jobs=rows, threads=threads) for rows in (0, 100_000, 1_000_000)
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


def _output(cluster: Cluster, database: str, arguments: list[str]) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE_", "DJANGO_"))}
    variables = {**kept, "DATABASE_URL": cluster.url(database), "SECRET_KEY": "only for a benchmark"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return what is printed and what the README shows: Markdown."""
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


def chart(found: dict[str, dict[str, Any]]) -> str:
    """Draw a bar for each contestant."""
    bars = [(CONTESTANTS[name], figures["runs_per_second"]) for name, figures in found.items() if "jobs" in figures]
    longest = max(rate for _, rate in bars)
    height = 34 * len(bars) + 46
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {height}" font-family="sans-serif" font-size="14">',
        "<title>Runs per second, jobs due at once</title>",
        f'<rect width="760" height="{height}" fill="#fff"/>',
        '<text x="10" y="24" font-weight="bold">Runs per second, all jobs due at once (more is better)</text>',
    ]
    for place, ((title, history), rate) in enumerate(bars):
        top = 42 + 34 * place
        width = max(2, round(380 * rate / longest))
        color = "#1f6feb" if title.startswith("OpenLearn") else "#8b949e"
        parts += [
            f'<text x="270" y="{top + 17}" text-anchor="end">{title}</text>',
            f'<rect x="280" y="{top}" width="{width}" height="24" fill="{color}"><title>{history}</title></rect>',
            f'<text x="{286 + width}" y="{top + 17}">{rate:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main()
