"""The page of what comes in the next 24 hours and 7 days, and a heat map of the last 7 days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler.admin import addresses
from scheduler.admin.format import display, trigger_text
from scheduler.services.queries import outlook
from scheduler.services.queries.outlook import Coming, PastHour

_MOST_NAMES = 8


def context(*, see_runs: bool) -> dict[str, Any]:
    now = timezone.now()
    found = outlook.coming(now=now)
    hours = outlook.by_hour(moments=found.coming, now=now)
    return {
        "title": _("Outlook"),
        "crumbs": [{"address": addresses.jobs(), "text": _("Jobs")}],
        "hours": [{"hour": display.clock(hour, now=now), **_listed(those)} for hour, those in hours.items()],
        "days": _days(found.coming),
        "frequent": [
            {
                "name": display.first_line(job.name),
                "address": addresses.job(job.pk),
                "when": trigger_text.describe(job.trigger),
            }
            for job in found.frequent
        ],
        "left_out": display.number(found.left_out) if found.left_out else "",
        "heat": _heat(outlook.past(now=now), now=now) if see_runs else [],
        "clock": [f"{hour:02}" for hour in range(24)],
    }


def _listed(those: Sequence[Coming]) -> dict[str, Any]:
    return {
        "number": display.number(len(those)),
        "jobs": [
            {
                "at": f"{timezone.localtime(each.at):%H:%M}",
                "name": display.first_line(each.job.name),
                "address": addresses.job(each.job.pk),
            }
            for each in those[:_MOST_NAMES]
        ],
        "more": max(len(those) - _MOST_NAMES, 0),
    }


def _days(coming: Sequence[Coming]) -> list[dict[str, Any]]:
    by_day: dict[Any, list[Coming]] = {}
    for each in coming:
        by_day.setdefault(timezone.localtime(each.at).date(), []).append(each)
    return [{"day": display.day(day, "D j M"), **_listed(those)} for day, those in by_day.items()]


def _heat(hours: Sequence[PastHour], *, now: datetime) -> list[dict[str, Any]]:
    """Seven rows of 24 cells, today at the top. The hour that the clocks repeat in autumn is one cell."""
    found: dict[tuple[date, int], list[PastHour]] = defaultdict(list)
    for hour in hours:
        local = timezone.localtime(hour.begins_at)
        found[local.date(), local.hour].append(hour)
    today = timezone.localtime(now).date()
    days = [today - timedelta(days=ago) for ago in range(7)]
    return [
        {"day": display.day(day, "D j M"), "cells": [_cell(found.get((day, hour), ())) for hour in range(24)]}
        for day in days
    ]


def _cell(hours: Sequence[PastHour]) -> dict[str, str]:
    if not hours:
        return {"tone": "", "text": "", "mark": "", "address": ""}
    failed, passed = sum(hour.failed for hour in hours), sum(hour.passed for hour in hours)
    total = sum(hour.succeeded for hour in hours) + failed + passed
    tone = "bad" if failed else "warn" if passed else "ok"
    text = _("%(total)s ended, %(failed)s failed, %(passed)s missed or skipped") % {
        "total": display.number(total),
        "failed": display.number(failed),
        "passed": display.number(passed),
    }
    window = {
        "since": hours[0].begins_at.isoformat(),
        "until": (hours[-1].begins_at + timedelta(hours=1)).isoformat(),
    }
    wanted = {"tab": "failed", **window} if failed else window
    mark = f"✕{failed}" if failed else f"»{passed}" if passed else str(total)
    return {"tone": tone, "text": text, "mark": mark, "address": addresses.runs(**wanted)}
