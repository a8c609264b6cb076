"""
Export and import of many jobs as commands, each in a process of its own: jobs per second and resident memory.

``python -m tests.benchmarks.moving WORD …`` is ``manage.py jobs WORD …`` on the scratch database. It ends with a line
of JSON on standard error: the seconds without the start of Django, and the most memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks import scratch

_CHECKOUT = Path(__file__).resolve().parents[2]


def measure(*, sizes: tuple[int, ...]) -> dict[str, Any]:
    """Export all jobs, and import the first of them under other ids: files of these sizes."""
    from scheduler.models import Job

    found: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "all.json"
        with whole.open("w") as out:
            took, most = _run("export", out=out)
        number = Job.objects.count()
        found["export"] = {"jobs": number, "a second": round(number / took), "most mb": most}
        print("export", found["export"], flush=True)
        for size in sizes:
            part = Path(folder) / f"{size}.json"
            _write_part(whole, part, size=size)
            with (Path(folder) / "outcomes.json").open("w") as out:
                took, most = _run("import", str(part), "-o", "json", out=out)
            found[f"import of {size}"] = {"jobs": size, "a second": round(size / took), "most mb": most}
            print("import", found[f"import of {size}"], flush=True)
            number += size
            assert Job.objects.count() == number
    return found


def _write_part(whole: Path, part: Path, *, size: int) -> None:
    """Copy the first entries, which are one a line, under other ids."""
    copied = 0
    with whole.open() as lines, part.open("w") as out:
        for line in lines:
            if not line.startswith('    {"id": "'):
                out.write(line)
            elif copied < size:
                copied += 1
                entry = line.replace('{"id": "', f'{{"id": "{size}-', 1).rstrip(",\n")
                out.write(f"{entry}{',' if copied < size else ''}\n")
    assert copied == size, "The database has fewer jobs than this."


def _run(*words: str, out: Any) -> tuple[float, int]:
    command = [sys.executable, "-m", "tests.benchmarks.moving", *words]
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, cwd=_CHECKOUT, text=True, check=True)
    facts = json.loads(done.stderr.splitlines()[-1])
    return facts["seconds"], facts["most mb"]


def main() -> None:
    from django.core.management import call_command

    with scratch.attached():
        began = time.perf_counter()
        call_command("jobs", *sys.argv[1:])
        facts = {"seconds": time.perf_counter() - began, "most mb": _most_memory_mb()}
    print(json.dumps(facts), file=sys.stderr)


def _most_memory_mb() -> int:
    """Return the most resident memory. What the system counts as used by a process begins with that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = (line for line in lines if line.startswith("VmHWM:"))
    return round(int(line.split()[1]) / 1024)


if __name__ == "__main__":
    main()
