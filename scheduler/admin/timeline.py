"""What ran and what is planned, a lane for each job, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from scheduler.admin import addresses, words
from scheduler.services.dashboard import LANE_RUNS, PAST, PLANNED, Lane

_LABEL, _WIDTH, _ROW, _HEAD = 190, 1000, 22, 20
_CLOSEST = (PAST + PLANNED) / 120
_BAD = ("failed", "timed_out", "interrupted")


def draw(lanes: Sequence[Lane], *, now: datetime) -> SafeString | None:
    lanes = [lane for lane in lanes if lane.runs or lane.planned]
    if not lanes:
        return None
    height = _HEAD + _ROW * len(lanes) + 4
    label = _(
        "Runs of %(count)d jobs in the last 12 hours, and the next 3 hours as planned. The jobs list says the same."
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


def _lane(lane: Lane, y: int, now: datetime) -> SafeString:
    name = words.first_line(lane.job.name, most=28)
    cut = _(" (the newest %d)") % LANE_RUNS if len(lane.runs) >= LANE_RUNS else ""
    bars = []
    for run in reversed(lane.runs):
        mark = words.RUN_MARKS.get(run.state)
        x = _x(run.scheduled_at, now)
        width = max((run.seconds or 0) / (PAST + PLANNED).total_seconds() * (_WIDTH - _LABEL), 4)
        word = mark.word if mark else run.state
        text = f"{words.clock(run.scheduled_at, now=now)} {word}"
        cross = format_html('<path d="M{} {}l4 4m0 -4l-4 4"/>', f"{x:.1f}", y) if run.state in _BAD else SafeString("")
        bars.append(
            (addresses.run(run.id), text, text, mark.tone if mark else "mute", f"{x:.1f}", y + 5, f"{width:.1f}", cross)
        )
    runs = format_html_join(
        "",
        '<a href="{}" aria-label="{}" tabindex="-1"><title>{}</title>'
        '<rect class="ols-{}" x="{}" y="{}" width="{}" height="12"/>{}</a>',
        bars,
    )
    planned = format_html_join(
        "",
        '<rect class="ols-planned" x="{}" y="{}" width="4" height="11"><title>{}</title></rect>',
        (
            (f"{max(_x(at, now), _x(now, now)):.1f}", y + 5, _("planned %s") % words.clock(at, now=now))
            for at in _apart(lane.planned)
        ),
    )
    return format_html(
        '<a href="{}"><text x="0" y="{}">{}<title>{}{}</title></text></a>{}{}',
        addresses.job(lane.job.pk),
        y + 15,
        name,
        words.plain(lane.job.name),
        cut,
        runs,
        planned,
    )
