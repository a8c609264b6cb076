"""The page of a job over four weeks: outcomes and durations by day, as charts with axes and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler.admin import addresses
from scheduler.admin.format import display
from scheduler.models import Job
from scheduler.services.queries import job_statistics
from scheduler.services.queries.job_statistics import Day

_LEFT, _STEP, _HEIGHT, _TOP = 60, 22, 120, 10


def context(job: Job) -> dict[str, Any]:
    days = job_statistics.days(job=job.pk, now=timezone.now(), zone=timezone.get_current_timezone())
    longest = max((day.p95 for day in days if day.p95), default=0.0)
    most = max((day.ended for day in days), default=0)
    return {
        "title": _("Statistics of “%s”") % display.first_line(job.name),
        "crumbs": [
            {"address": addresses.jobs(), "text": _("Jobs")},
            {"address": addresses.job(job.pk), "text": display.first_line(job.name)},
        ],
        "has_data": most > 0,
        "width": _LEFT + _STEP * len(days),
        "height": _TOP + _HEIGHT + 20,
        "bottom": _TOP + _HEIGHT,
        "left": _LEFT,
        "top": _TOP,
        "most": display.number(most),
        "longest": display.took(longest) if longest else "",
        "half": display.took(longest / 2) if longest else "",
        "middle": _TOP + _HEIGHT // 2,
        "bars": [_bar(place, day, most) for place, day in enumerate(days)],
        "points": [_point(place, day, longest) for place, day in enumerate(days) if day.p50 is not None],
        "ticks": [{"x": _LEFT + place * _STEP, "text": _short(day)} for place, day in _weekly(days)],
        "rows": [_row(job, day) for day in reversed(days) if day.ended],
        "most_runs": display.number(job_statistics.MOST_RUNS),
    }


def _weekly(days: Sequence[Day]) -> list[tuple[int, Day]]:
    return [(place, day) for place, day in enumerate(days) if place % 7 == 0]


def _short(day: Day) -> str:
    return display.day(day.day, "j M")


def _bar(place: int, day: Day, most: int) -> dict[str, Any]:
    """Failures stand on the axis, where they are seen best; then what passed, then successes."""
    y: float = _TOP + _HEIGHT
    parts = []
    for tone, number in (("bad", day.failed), ("warn", day.passed), ("ok", day.succeeded)):
        height = round(number / most * _HEIGHT, 1) if most else 0
        if number:
            height = max(height, 1)
            y -= height
            parts.append({"tone": tone, "y": round(y, 1), "height": height})
    return {"x": _LEFT + place * _STEP + 2, "width": _STEP - 4, "parts": parts, "text": f"{_short(day)}: {_said(day)}"}


def _point(place: int, day: Day, longest: float) -> dict[str, Any]:
    bottom = _TOP + _HEIGHT

    def y(seconds: float | None) -> float:
        return round(bottom - (seconds or 0) / longest * _HEIGHT, 1) if longest else bottom

    text = _("%(day)s: median %(p50)s, p95 %(p95)s") % {
        "day": _short(day),
        "p50": display.took(day.p50 or 0),
        "p95": display.took(day.p95 or 0),
    }
    return {"x": _LEFT + place * _STEP + _STEP // 2, "p50": y(day.p50), "p95": y(day.p95), "text": text}


def _said(day: Day) -> str:
    return _("%(succeeded)s succeeded, %(failed)s failed, %(passed)s missed or skipped") % {
        "succeeded": display.number(day.succeeded),
        "failed": display.number(day.failed),
        "passed": display.number(day.passed),
    }


def _row(job: Job, day: Day) -> dict[str, Any]:
    return {
        "day": display.day(day.day, "D j M Y"),
        "succeeded": display.number(day.succeeded),
        "failed": display.number(day.failed),
        "failed_address": addresses.runs(job=job.pk, tab="failed", since=day.day.isoformat()) if day.failed else "",
        "passed": display.number(day.passed),
        "p50": "" if day.p50 is None else display.took(day.p50),
        "p95": "" if day.p95 is None else display.took(day.p95),
    }
