"""
What the start of a process costs, and the memory of an idle node: ``python -m tests.benchmarks.starts``.

    python -m tests.benchmarks.starts [--times 5] [--jobs 0] [--idle 20] [--beside ../other] [--json FILE]

Each round starts ``manage.py runscheduler`` and ``showmigrations`` in this checkout, and in turn in the one of
``--beside``, which has the same migrations. The medians of all rounds count: processor seconds, ``VmRSS`` and the
private memory of the node and its children after ``--idle`` seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from tests.benchmarks import many_jobs, scratch

_KILOBYTES = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=0, help="Jobs of which none is due.")
    parser.add_argument("--idle", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    trees = {"here": Path.cwd()} | ({"beside": options.beside.resolve()} if options.beside else {})
    with scratch.database():
        if options.jobs:
            many_jobs.fill(jobs=options.jobs, runs=options.jobs)
        variables = _variables()
        rounds: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
        for _ in range(options.times):
            for name, tree in trees.items():
                found = {**_node(tree, variables, idle=options.idle), **_command(tree, variables)}
                rounds[name].append(found)
                print(name, found, flush=True)
    figures = {name: _medians(found) for name, found in rounds.items()}
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _variables() -> dict[str, str]:
    """Return the environment of processes that work on the scratch database."""
    from django.conf import settings
    from django.db import connection

    given = connection.get_connection_params()
    address = (
        f"postgresql://{quote(given.get('user', ''))}@/{given['dbname']}?host={quote(str(given['host']), safe='')}"
    )
    return {**os.environ, "DATABASE_URL": address, "SECRET_KEY": settings.SECRET_KEY, "LOG_LEVEL": "INFO"}


def _node(tree: Path, variables: dict[str, str], *, idle: float) -> dict[str, float]:
    """Start a node, let it idle, look at its memory, and stop it."""
    command = [sys.executable, "manage.py", "runscheduler"]
    process = subprocess.Popen(command, cwd=tree, env=variables, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    for line in process.stderr:
        if b"scheduler.node.started" in line:
            break
    started = _processor_seconds(process.pid)
    time.sleep(idle)
    children = psutil.Process(process.pid).children()
    own = _memory(process.pid)
    found = {
        "node: processor seconds": round(started, 2),
        "node: VmRSS MB": own["Rss"],
        "node: private MB": round(own["Private_Clean"] + own["Private_Dirty"], 1),
        "its children: VmRSS MB": round(sum(_memory(child.pid)["Rss"] for child in children), 1),
    }
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    assert process.wait() == 0
    return found


def _command(tree: Path, variables: dict[str, str]) -> dict[str, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "manage.py", "showmigrations", "--verbosity", "0"]
    subprocess.run(command, cwd=tree, env=variables, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"showmigrations: processor seconds": round(took, 2)}


def _memory(pid: int) -> dict[str, float]:
    """Return the parts of a process's memory, in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {name: round(int(value.split()[0]) / _KILOBYTES, 1) for name, value in (each.split(":") for each in lines)}


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, Any]:
    return {name: round(statistics.median(each[name] for each in rounds), 2) for name in rounds[0]}


if __name__ == "__main__":
    main()
