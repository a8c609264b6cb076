"""What everybody is measured with: the job, and how figures are told."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 600.0
WARM_UP_SECONDS = 5


class CannotCompare(Exception):
    """This contestant has nothing that this measure could be taken of."""


def nothing() -> None:
    """Do nothing."""


def note() -> None:
    """Leave the time at which it began in the file of ``BENCHMARK_NOTES``."""
    line = f"{time.time()}\n".encode()
    descriptor = os.open(os.environ["BENCHMARK_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def percentiles(milliseconds: Sequence[float], *, expected: int) -> dict[str, Any]:
    """Return how late runs were, and how many were seen of those that should have been."""
    ordered = sorted(milliseconds)
    if not ordered:
        raise CannotCompare(f"None of {expected:,} runs was seen in time.")
    found = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in _SHARES.items()}
    return {"runs": len(ordered), "expected": expected, **{name: round(value, 1) for name, value in found.items()}}


_SHARES = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def memory_mb() -> int:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1024 / 1024)
