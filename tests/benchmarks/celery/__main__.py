"""The command: each part in a process of its own, and a table of all of them."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks import celery
from tests.benchmarks.celery import ours, plain
from tests.benchmarks.celery.surroundings import CHECKOUT
from tests.brokers import KINDS
from tests.postgres import Cluster

PARTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "ringing": ours.ringing,
    "ours-throughput": ours.throughput,
    "nodes-throughput": ours.nodes_throughput,
    "plain-throughput": plain.throughput,
    "ours-lateness": ours.lateness,
    "plain-lateness": plain.lateness,
    "cancelling": ours.cancelling,
    "million": ours.million,
}
USUAL = tuple(name for name in PARTS if name != "million")
MIGRATED = "migrated"
_JOBS = {"million": 1_000_000}
"""Jobs of a part that has not 5,000, unless they are given."""


def main() -> None:
    options = _options()
    if options.inside:
        print(json.dumps(PARTS[options.inside](options.jobs or _JOBS.get(options.inside, 5_000))))
        return
    for module in ("celery", "django_celery_beat", "django_celery_results"):
        if find_spec(module) is None:
            sys.exit(f"{module} is not installed: pip install -r requirements-bench.txt")
    parts = options.part or USUAL
    with Cluster(settings={"max_connections": 100}) as cluster, KINDS[options.broker]() as broker:
        cluster.psql(f"CREATE DATABASE {MIGRATED}")
        _run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], _variables(cluster, MIGRATED))
        figures = {name: _part(cluster, broker.url, name, jobs=options.jobs) for name in parts}
    facts = {
        "command": _command(options),
        "broker": options.broker,
        **figures,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("celery", "django-celery-beat", "django-celery-results")},
    }
    if set(USUAL) <= facts.keys():
        print(table(facts))
    print(json.dumps(facts, indent=2))
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=celery.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=sorted(KINDS), default="valkey")
    parser.add_argument("--jobs", type=int, help="default: 5,000, and 1,000,000 for million")
    parser.add_argument(
        "--part", choices=sorted(PARTS), action="append", help="may be repeated; default: all but million"
    )
    parser.add_argument("--inside", choices=sorted(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args()


def _command(options: argparse.Namespace) -> str:
    parts = "".join(f" --part {name}" for name in options.part or ())
    jobs = f" --jobs {options.jobs}" if options.jobs else ""
    return f"python -m tests.benchmarks.celery --broker {options.broker}{jobs}{parts}"


def _part(cluster: Cluster, broker_url: str, name: str, *, jobs: int | None) -> dict[str, Any]:
    """Measure one part in a process and a database of its own."""
    print(f"{name} …", file=sys.stderr, flush=True)
    database = name.replace("-", "_")
    cluster.psql(f"CREATE DATABASE {database}" + ("" if name.startswith("plain") else f" TEMPLATE {MIGRATED}"))
    with tempfile.TemporaryDirectory() as folder:
        variables = {
            **_variables(cluster, database),
            "BENCHMARK_BROKER": broker_url,
            "BENCHMARK_NOTES": f"{folder}/notes",
            "CELERY_BROKER_URL": broker_url,
        }
        if name.startswith("plain"):
            del variables["DJANGO_SETTINGS_MODULE"]
        command = [sys.executable, "-m", "tests.benchmarks.celery", "--inside", name]
        command += ["--jobs", str(jobs)] if jobs else []
        answer = _run(command, variables)
    cluster.psql(f"DROP DATABASE {database} WITH (FORCE)")
    figures: dict[str, Any] = json.loads(answer.splitlines()[-1])
    return figures


def _variables(cluster: Cluster, database: str) -> dict[str, str]:
    foreign = ("DATABASE_", "DJANGO_", "SCHEDULER_")
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith(foreign)},
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.celery.settings",
        "DATABASE_URL": cluster.url(database),
        "SECRET_KEY": "only for a benchmark",
        "LOG_LEVEL": "ERROR",
    }


def _run(command: list[str], variables: dict[str, str]) -> str:
    return subprocess.run(command, cwd=CHECKOUT, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout


def table(facts: dict[str, Any]) -> str:
    """Return the table of docs/celery.md: Markdown."""
    mine, theirs = facts["ours-throughput"], facts["plain-throughput"]
    late, late_there = facts["ours-lateness"], facts["plain-lateness"]
    ringing = facts["ringing"]
    rows = [
        (facts["broker"], "bodies on Celery workers", "Celery beat, worker, results"),
        ("---", "---:", "---:"),
        ("messages/s from one process", f"{ringing['bell']:,}", f"{ringing['apply_async']:,} (`apply_async`)"),
        ("the same, with the stamp in the ledger", f"{ringing['ringer']:,}", "–"),
        (
            f"runs/s, {mine['jobs']:,} due at once",
            f"{mine['runs_per_second']:,.0f}",
            f"{theirs['runs_per_second']:,.0f}",
        ),
        ("WAL bytes of a run", f"{mine['wal_bytes_per_run']:,}", f"{theirs['wal_bytes_per_run']:,}"),
        *(
            (
                f"ms late, {late['expected']:,} due at a full minute, {share}",
                f"{late[share]:,.0f}",
                f"{late_there[share]:,.0f}",
            )
            for share in ("p50", "p99", "max")
        ),
        *(
            (
                f"ms until a body that runs is cancelled, {pool}: p50, p99",
                f"{facts['cancelling'][pool]['p50']:,.0f}, {facts['cancelling'][pool]['p99']:,.0f}",
                "–",
            )
            for pool in ("threads", "prefork")
        ),
        (
            "recorded",
            "fire time, start, end, state, result, error, log, progress, attempts, worker",
            "state, result, traceback, worker, end",
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |".replace("| --- | ---: | ---: |", "|---|---:|---:|") for row in rows)


if __name__ == "__main__":
    main()
