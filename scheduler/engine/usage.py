"""Memory and processor time of this process and of the children of its process pools."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    memory_bytes: int | None
    """Resident memory. ``None``: this system does not say."""

    processors: float | None
    """Processors kept busy since the measurement before. ``None``: this is the first one."""


class Meter:
    """Measures the usage since the last call."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, proc: Path = Path("/proc")) -> None:
        self._clock = clock
        self._proc = proc
        self._before: dict[int, float] = {}
        self._measured_at: float | None = None

    def measure(self, *, children: Iterable[int]) -> Usage:
        """Measure this process and these children, as far as they live."""
        seconds: dict[int, float] = {}
        memory = 0
        for pid in (os.getpid(), *children):
            read = _read(self._proc / str(pid) / "stat")
            if read is not None:
                seconds[pid], resident = read
                memory += resident
        if not memory:
            seconds = {os.getpid(): time.process_time()}
        now = self._clock()
        # A child that is new has used all of its time since; one that has ended is left out.
        used = sum(max(0.0, spent - self._before.get(pid, 0.0)) for pid, spent in seconds.items())
        elapsed = None if self._measured_at is None else now - self._measured_at
        self._before, self._measured_at = seconds, now
        return Usage(memory_bytes=memory or None, processors=used / elapsed if elapsed else None)


def _read(path: Path) -> tuple[float, int] | None:
    """Return the processor seconds and the resident bytes of a process, as proc(5) describes its file ``stat``."""
    try:
        # The name of the program comes second and may hold spaces and brackets.
        fields = path.read_text().rpartition(")")[2].split()
        ticks, pages = int(fields[11]) + int(fields[12]), int(fields[21])
    except (OSError, ValueError, IndexError):
        return None
    return ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE")
