"""
Every change of every clock from 2010 to 2035, in every zone, against the oracle that looks at a clock every minute.

    python -m tests.unit.triggers.sweep --json docs/evidence/zones.json

Zones whose clocks went alike from 2010 to 2035 (links, and places that parted before) are looked at once: a trigger
knows no more of a zone than its offsets. Looked at are a day and a half after each change and half a day before it,
and some ordinary days.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import TZPATH, ZoneInfo, available_timezones

from scheduler.core.triggers import parse
from tests.unit.triggers.oracle import MINUTE, fire_times, utc

FIRST, LAST = utc(2010, 1, 1), utc(2036, 1, 1)
STEP = timedelta(hours=6)
BEFORE, AFTER = timedelta(hours=12), timedelta(hours=36)
ORDINARY_DAYS = 8
"""Of each group of zones."""

MOMENT = timedelta(microseconds=1)

EXPRESSIONS = (
    "0 0 * * *",
    "30 0 * * *",
    "30 2 * * *",
    "0,30 2 * * *",
    "0 2,3 * * *",
    "15 1-3 * * *",
    "0-59 1 * * *",
    "5 0,1,2,3 * * sun",
    "0 0 28 * 0",
    "1-59/7 0-23 * * *",
    "* * * * *",
    "*/20 0-3 * * *",
    "0 */2 * * *",
)

Changes = tuple[tuple[datetime, timedelta], ...]
"""The first minute of each offset from UTC, and that offset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time in a zone."""

    zone: str
    start: datetime
    end: datetime


@dataclass(slots=True, kw_only=True)
class Sweep:
    """What was looked at, and where triggers and oracle disagreed."""

    zones: int = 0
    groups: int = 0
    changes: int = 0
    """In all zones; each was looked at in one zone of the group."""

    changes_looked_at: int = 0
    ordinary_days: int = 0
    expressions: int = len(EXPRESSIONS)
    minutes: int = 0
    """Minutes at which a clock was looked at, times expressions."""

    fire_times: int = 0
    disagreements: list[str] = field(default_factory=list)


def zones() -> list[str]:
    """Return every zone that the system knows, in order."""
    return sorted(name for name in available_timezones() if name not in ("localtime", "Factory", "posixrules"))


def changes(zone_name: str) -> Changes:
    """Return the offset with which 2010 began, and every change up to the end of 2035."""
    zone = ZoneInfo(zone_name)
    offset = _offset(zone, FIRST)
    found, moment = [(FIRST, offset)], FIRST
    while moment < LAST:
        following = _offset(zone, moment + STEP)
        if following != offset:
            found.append((_first_minute(zone, moment, moment + STEP, following), following))
        moment, offset = moment + STEP, following
    return tuple(found)


def _first_minute(zone: ZoneInfo, without: datetime, having: datetime, offset: timedelta) -> datetime:
    """Look at every minute until the clock has the offset."""
    while without < having and _offset(zone, without) != offset:
        without += MINUTE
    return without


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def around(zone: str, change: datetime) -> Window:
    return Window(zone=zone, start=change - BEFORE, end=change + AFTER)


def disagreements(window: Window, expressions: Iterable[str] = EXPRESSIONS) -> tuple[int, list[str]]:
    """Ask a trigger in three ways, and the oracle; return the number of fire times, and what differs."""
    found, compared = [], 0
    for expression in expressions:
        expected = fire_times(expression, window.zone, window.start, window.end)
        trigger = parse({"type": "cron", "expression": expression, "timezone": window.zone})
        compared += len(expected)
        last = window.end - MOMENT
        if list(_forward(trigger, window)) != expected:
            found.append(f"{expression} in {window.zone} from {window.start} on: forward")
        if list(_backward(trigger, window)) != expected[::-1]:
            found.append(f"{expression} in {window.zone} from {window.start} on: backward")
        if trigger.count_after(window.start - MOMENT, until=last) != len(expected):
            found.append(f"{expression} in {window.zone} from {window.start} on: counted")
    return compared, found


def _forward(trigger: Any, window: Window) -> Iterator[datetime]:
    moment = trigger.next_after(window.start - MOMENT)
    while moment is not None and moment < window.end:
        yield moment
        moment = trigger.next_after(moment)


def _backward(trigger: Any, window: Window) -> Iterator[datetime]:
    moment = trigger.at_or_before(window.end - MOMENT)
    while moment is not None and moment >= window.start:
        yield moment
        moment = trigger.at_or_before(moment - MOMENT)


def ordinary(zone: str) -> list[Window]:
    """Choose days of a zone, the same ones each time."""
    chance = random.Random(zone)  # noqa: S311 - it is to be repeatable
    starts = [FIRST + timedelta(days=chance.randrange((LAST - FIRST).days)) for _ in range(ORDINARY_DAYS)]
    return [Window(zone=zone, start=start, end=start + timedelta(days=1)) for start in starts]


def sweep(names: Sequence[str], *, workers: int | None = None) -> Sweep:
    """Look at every change of these zones, a process for each core."""
    done = Sweep(zones=len(names))
    with ProcessPoolExecutor(max_workers=workers) as pool:
        groups: dict[Changes, str] = {}
        for name, found in zip(names, pool.map(changes, names, chunksize=8), strict=True):
            groups.setdefault(found, name)
            done.changes += len(found) - 1
        done.groups = len(groups)
        windows = [around(name, moment) for found, name in groups.items() for moment, _ in found[1:]]
        done.changes_looked_at = len(windows)
        windows += [window for name in groups.values() for window in ordinary(name)]
        done.ordinary_days = len(windows) - done.changes_looked_at
        for window, (compared, found_wrong) in zip(windows, pool.map(disagreements, windows, chunksize=8), strict=True):
            done.fire_times += compared
            done.disagreements += found_wrong
            done.minutes += (window.end - window.start) // MINUTE * len(EXPRESSIONS)
    return done


def rules() -> str:
    """Return the version of the time zone rules that were looked at: the system's, or else the package's."""
    for folder in TZPATH:
        if (Path(folder) / "tzdata.zi").exists():
            with (Path(folder) / "tzdata.zi").open() as file:
                return file.readline().removeprefix("# version ").strip()
    return version("tzdata")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.unit.triggers.sweep", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    began = time.monotonic()
    done = sweep(zones())
    facts = {
        "command": "python -m tests.unit.triggers.sweep --json docs/evidence/zones.json",
        "at": datetime.now(UTC).date().isoformat(),
        **{name: getattr(done, name) for name in Sweep.__slots__ if name != "disagreements"},
        "disagreements": len(done.disagreements),
        "examples": done.disagreements[:20],
        "seconds": round(time.monotonic() - began),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "tzdata": rules(),
    }
    text = json.dumps(facts, indent=2) + "\n"
    if options.json:
        options.json.write_text(text)
    print(text)
    return 1 if done.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
