"""
Times of statements, from the server's log.

The server logs a sample of all statements with their duration. A wheel of PostgreSQL has no ``pg_stat_statements``, and
that would have an average only.
"""

from __future__ import annotations

import re
from pathlib import Path

SHARE = 0.2
SETTINGS = {
    "log_min_duration_sample": 0,
    "log_statement_sample_rate": SHARE,
}

_DURATION = re.compile(r"LOG:  duration: ([\d.]+) ms  (?:statement|execute [^:]*): (.*)", re.DOTALL)
_BEGIN = re.compile(r"^\d{4}-\d\d-\d\d ")


class Log:
    """The log of a server, read from where the last look ended."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = path.stat().st_size

    def durations(self, pattern: str) -> list[float]:
        """Return the milliseconds of each sampled statement since the last call that has the pattern, in order."""
        with self._path.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._place)
            text = file.read()
            self._place = file.tell()
        return sorted(durations(text, pattern))


def durations(text: str, pattern: str) -> list[float]:
    """Return the milliseconds of each statement in the log that has the pattern."""
    found = (_DURATION.search(entry) for entry in _entries(text))
    return [float(match[1]) for match in found if match is not None and re.search(pattern, match[2])]


def _entries(text: str) -> list[str]:
    """Return the entries, of which some have several lines."""
    entries: list[str] = []
    for line in text.splitlines():
        if entries and not _BEGIN.match(line):
            entries[-1] += f"\n{line}"
        else:
            entries.append(line)
    return entries
