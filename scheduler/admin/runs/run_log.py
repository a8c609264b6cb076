"""The log of a run as a page shows it: a part of its lines, each with its number and the time since the run began."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from scheduler.admin.format import display
from scheduler.models import Run

MOST_LINES = 2000

_BEFORE_A_WANTED_LINE = 200
_ENTRY = re.compile(r"^(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>\d\d\.\d{3}) (?P<level>[A-Z]+) ")
_LEFT_OUT = re.compile(r"^… (?P<number>\d+) lines? left out here …$")
_LEVELS = {"DEBUG": "mute", "INFO": "", "WARNING": "warn", "ERROR": "bad", "CRITICAL": "bad"}
_COLOURS = re.compile(r"␛\[[0-9;:]*m")
"""Escape sequences for colours. The page colours the levels itself."""

_DAY = 86_400.0
_OUT_OF_ORDER = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    number: int
    """Its number in the whole log, from 1. 0 for the note about dropped lines."""

    text: str
    tone: str
    since: str
    """Seconds since the start of the run. Empty for continuation lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    lines: Sequence[Line]
    total: int
    """The number of the last line of the log."""

    left_out: int
    """So many lines were not kept, because the log was too long."""

    older: int = 0
    """The number of the first line shown, if there are more before it."""

    is_tail: bool = True
    query: str = ""
    found: int = 0
    """So many lines of the log hold the query."""

    wanted: int = 0
    """The line that the address names."""


def show(request: HttpRequest, run: Run) -> Shown:
    """Return the part of the log that the address asks for: what it searches, the lines around one, or the last."""
    lines = read(run)
    query = request.GET.get("q", "").strip()[:200]
    wanted, before = _number(request, "line"), _number(request, "before")
    shown = Shown(lines=lines, total=_last(lines), left_out=sum(_left_out(line.text) for line in lines), query=query)
    if query:
        found = [line for line in lines if query.casefold() in line.text.casefold()]
        return replace(shown, lines=found[-MOST_LINES:], found=len(found), is_tail=False)
    if before:
        return _part(shown, [line for line in lines if line.number < before or not line.number], is_tail=False)
    if wanted and lines and wanted < next((line.number for line in lines[-MOST_LINES:] if line.number), 0):
        place = next((place for place, line in enumerate(lines) if line.number >= wanted), 0)
        first = max(place - _BEFORE_A_WANTED_LINE, 0)
        around = lines[: first + MOST_LINES]
        return replace(_part(shown, around, is_tail=len(around) == len(lines)), wanted=wanted)
    return replace(_part(shown, lines), wanted=wanted)


def after(request: HttpRequest, run: Run) -> dict[str, Any]:
    """Return the lines after the number in the address: a live page asks for what is new alone."""
    known = _number(request, "after")
    lines = read(run)
    new = [line for line in lines if line.number > known][:MOST_LINES]
    last = new[-1].number if new else _last(lines)
    return {
        "lines": new,
        "last": last,
        "is_finished": run.finished_at is not None and last >= _last(lines),
        "gap": new[0].number - known - 1 if new and known else 0,
    }


def read(run: Run) -> list[Line]:
    """Return all lines that were kept."""
    if not run.log:
        return []
    found: list[Line] = []
    number, tone, last, began = 0, "", 0.0, _began(run)
    for text in _COLOURS.sub("", display.plain(run.log)).removesuffix("\n").split("\n"):
        number += 1
        since = ""
        if entry := _ENTRY.match(text):
            tone = _LEVELS.get(entry["level"], "")
            clock = int(entry["hours"]) * 3600 + int(entry["minutes"]) * 60 + float(entry["seconds"])
            last = _unwound(clock - began, last)
            since = f"+{display.decimal(last, places=3)}"
        elif left_out := _left_out(text):
            found.append(Line(number=0, text=text, tone="warn", since=""))
            number += left_out - 1
            continue
        found.append(Line(number=number, text=text, tone=tone, since=since))
    return found


def _began(run: Run) -> float:
    if run.started_at is None:
        return 0.0
    return run.started_at.timestamp() % _DAY


def _unwound(since: float, last: float) -> float:
    """Add the days that the clock of an entry does not say: lines come in order but for some seconds."""
    days = math.ceil((last - _OUT_OF_ORDER - since) / _DAY)
    return max(since + max(days, 0) * _DAY, 0.0)


def _left_out(text: str) -> int:
    found = _LEFT_OUT.match(text)
    return int(found["number"]) if found else 0


def _last(lines: Sequence[Line]) -> int:
    return next((line.number for line in reversed(lines) if line.number), 0)


def _part(shown: Shown, lines: Sequence[Line], *, is_tail: bool = True) -> Shown:
    """Keep the last of the lines, and say from where older ones can be asked for."""
    kept = lines[-MOST_LINES:]
    older = next((line.number for line in kept if line.number), 0) if len(kept) < len(lines) else 0
    return replace(shown, lines=kept, older=older, is_tail=is_tail)


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def summary(shown: Shown) -> str:
    """Say in a sentence what part of the log this is."""
    if shown.query:
        return _("%(found)s lines of the log hold “%(query)s”.") % {
            "found": display.number(shown.found),
            "query": shown.query,
        }
    numbers = [line.number for line in shown.lines if line.number]
    if not numbers or len(numbers) + shown.left_out == shown.total:
        return ""
    text = _("Lines %(first)s to %(last)s of %(total)s.")
    if len(numbers) <= numbers[-1] - numbers[0]:
        text = _("%(count)s of the lines %(first)s to %(last)s, of %(total)s.")
    return text % {
        "count": display.number(len(numbers)),
        "first": display.number(numbers[0]),
        "last": display.number(numbers[-1]),
        "total": display.number(shown.total),
    }
