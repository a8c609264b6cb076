"""Past and planned runs as SVG, with a lane for each job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin import addresses
from scheduler.admin.format import display
from scheduler.services.queries.dashboard import LANE_RUNS, PAST, PLANNED, Lane

_LABEL, _WIDTH, _ROW, _HEAD = 190, 1000, 22, 20
_CLOSEST = (PAST + PLANNED) / 120
_BAD = ("failed", "timed_out", "interrupted")


def draw(lanes: Sequence[Lane], *, now: datetime) -> SafeString | None:
    lanes = [lane for lane in lanes if lane.runs or lane.planned]
    if not lanes:
        return None
    height = _HEAD + _ROW * len(lanes) + 4
    label = ngettext(
        "Runs of %(count)d job in the last 12 hours, and the plan for the next 3 hours. A table below has the "
        "same data.",
        "Runs of %(count)d jobs in the last 12 hours, and the plan for the next 3 hours. A table below has the "
        "same data.",
        len(lanes),
    )
    return format_html(
        '<svg class="ols-timeline" role="group" aria-label="{}" viewBox="0 0 {} {}">{}{}</svg>',
        label % {"count": len(lanes)},
        _WIDTH,
        height,
        _grid(now, height),
        format_html_join("", "{}", ((_lane(lane, _HEAD + place * _ROW, now),) for place, lane in enumerate(lanes))),
    )


def _x(at: datetime, now: datetime) -> float:
    share = (at - (now - PAST)) / (PAST + PLANNED)
    return _LABEL + share * (_WIDTH - _LABEL)


def _grid(now: datetime, height: int) -> SafeString:
    ticks = []
    for hours in range(-12, 4, 3):
        at = now + (PAST / 12) * hours
        x = f"{min(max(_x(at, now), _LABEL), _WIDTH - 1):.1f}"
        text = _("now") if hours == 0 else f"{timezone.localtime(at):%H:%M}"
        ticks.append((x, x, height, x, "start" if hours == -12 else "end" if hours == 3 else "middle", text))
    return format_html_join(
        "",
        '<line x1="{}" x2="{}" y1="16" y2="{}"/><text x="{}" y="12" text-anchor="{}">{}</text>',
        ticks,
    )


def _apart(planned: Sequence[datetime]) -> list[datetime]:
    """Those that do not lie on each other in the drawing."""
    found: list[datetime] = []
    for at in planned:
        if not found or at - found[-1] >= _CLOSEST:
            found.append(at)
    return found


def _runs(lane: Lane, y: int, now: datetime) -> SafeString:
    bars = []
    for run in reversed(lane.runs):
        mark = display.RUN_MARKS.get(run.state)
        x = _x(run.scheduled_at, now)
        width = max((run.seconds or 0) / (PAST + PLANNED).total_seconds() * (_WIDTH - _LABEL), 4)
        word = mark.word if mark else run.state
        text = f"{display.clock(run.scheduled_at, now=now)} {word}"
        cross = format_html('<path d="M{} {}l4 4m0 -4l-4 4"/>', f"{x:.1f}", y) if run.state in _BAD else SafeString("")
        bars.append(
            (addresses.run(run.id), text, text, mark.tone if mark else "mute", f"{x:.1f}", y + 5, f"{width:.1f}", cross)
        )
    return format_html_join(
        "",
        '<a href="{}" aria-label="{}" tabindex="-1"><title>{}</title>'
        '<rect class="ols-{}" x="{}" y="{}" width="{}" height="12"/>{}</a>',
        bars,
    )


def _hours(lane: Lane, y: int, now: datetime) -> SafeString:
    """A box for each hour: how many of its runs went well, and a cross if not all did."""
    boxes = []
    for hour in lane.hours:
        ends_at = min(hour.begins_at + timedelta(hours=1), now)
        left, right = max(_x(hour.begins_at, now), _LABEL), _x(ends_at, now)
        bad = hour.ended - hour.succeeded
        if right - left < 1 or not hour.ended:
            continue
        text = _("%(start)s to %(end)s: %(succeeded)s of %(ended)s OK") % {
            "start": display.clock(hour.begins_at, now=now),
            "end": f"{timezone.localtime(ends_at):%H:%M}",
            "succeeded": display.number(hour.succeeded),
            "ended": display.number(hour.ended),
        }
        window = {"since": hour.begins_at.isoformat(), "until": (hour.begins_at + timedelta(hours=1)).isoformat()}
        cross = format_html('<path d="M{} {}l4 4m0 -4l-4 4"/>', f"{left + 2:.1f}", y + 6) if bad else SafeString("")
        share = f"{display.number(hour.succeeded)}/{display.number(hour.ended)}" if right - left > 40 else ""
        boxes.append(
            (
                addresses.runs(job=lane.job.pk, **({"tab": "failed"} if bad else {}), **window),
                f"{share} {text}".strip(),
                text,
                "bad" if bad else "ok",
                f"{left + 0.5:.1f}",
                y + 3,
                f"{right - left - 1:.1f}",
                cross,
                f"{(left + right) / 2 + (3 if bad else 0):.1f}",
                y + 13,
                share,
            )
        )
    return format_html_join(
        "",
        '<a href="{}" class="ols-box" aria-label="{}" tabindex="-1"><title>{}</title>'
        '<rect class="ols-hour ols-{}" x="{}" y="{}" width="{}" height="14"/>{}'
        '<text x="{}" y="{}" text-anchor="middle" class="ols-share">{}</text></a>',
        boxes,
    )


def table(lanes: Sequence[Lane], *, now: datetime) -> list[dict[str, Any]]:
    """The same as rows, for who reads tables better than drawings."""
    rows = []
    for lane in lanes:
        if not (lane.runs or lane.planned):
            continue
        ended = [run for run in lane.runs if run.finished_at is not None]
        succeeded = sum(run.state == "succeeded" for run in ended)
        rows.append(
            {
                "job": lane.job,
                "address": addresses.job(lane.job.pk),
                "runs": addresses.runs(job=lane.job.pk),
                "succeeded": sum(hour.succeeded for hour in lane.hours) if lane.hours else succeeded,
                "ended": sum(hour.ended for hour in lane.hours) if lane.hours else len(ended),
                "last": lane.runs[0] if lane.runs else None,
                "planned": lane.planned[0] if lane.planned else None,
            }
        )
    return rows


def _lane(lane: Lane, y: int, now: datetime) -> SafeString:
    name = display.first_line(lane.job.name, most=28)
    is_cut = len(lane.runs) >= LANE_RUNS and not lane.hours
    cut = _(" (the newest %s)") % display.number(LANE_RUNS) if is_cut else ""
    runs = _hours(lane, y, now) if lane.hours else _runs(lane, y, now)
    planned = format_html_join(
        "",
        '<rect class="ols-planned" x="{}" y="{}" width="4" height="11"><title>{}</title></rect>',
        (
            (f"{max(_x(at, now), _x(now, now)):.1f}", y + 5, _("planned %s") % display.clock(at, now=now))
            for at in _apart(lane.planned)
        ),
    )
    return format_html(
        '<a href="{}"><text x="0" y="{}">{}<title>{}{}</title></text></a>{}{}',
        addresses.job(lane.job.pk),
        y + 15,
        name,
        display.plain(lane.job.name),
        cut,
        runs,
        planned,
    )
