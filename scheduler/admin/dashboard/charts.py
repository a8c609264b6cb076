"""Runs as SVG, made here: shape and colour for the eye, words for who cannot see them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin.format.display import RUN_MARKS, decimal, number, took
from scheduler.services.queries.overview import Recent, percentile

_WIDTH, _GAP, _HEIGHT = 6, 2, 18
_BAD = ("failed", "timed_out", "interrupted")


def strip(runs: Sequence[Recent], *, size: int) -> SafeString:
    """The newest ``size`` runs, the newest at the right. Failed runs are taller and have a cross."""
    shown = list(reversed(runs[:size]))
    if not shown:
        return format_html('<span class="ols-mute">{}</span>', _("no runs yet"))
    bars = []
    for place, run in enumerate(shown):
        x = place * (_WIDTH + _GAP)
        bars.append(_bar(run.state, x))
    label = _("Last %(count)d: %(states)s") % {"count": len(shown), "states": _tally(shown)}
    return format_html(
        '<svg class="ols-strip" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}</svg>',
        label,
        len(shown) * (_WIDTH + _GAP),
        _HEIGHT,
        len(shown) * (_WIDTH + _GAP),
        _HEIGHT,
        format_html_join("", "{}", ((bar,) for bar in bars)),
    )


@lru_cache(maxsize=1024)
def _bar(state: str, x: int) -> SafeString:
    """Draw a bar. Those of a page are few different ones, and many."""
    mark = RUN_MARKS.get(state)
    tone = mark.tone if mark else "mute"
    if state in _BAD:
        cross = format_html('<path d="M{} 1l{} 4m0 -4l-{} 4"/>', x, _WIDTH, _WIDTH)
        return format_html('<rect class="ols-{}" x="{}" y="7" width="{}" height="11"/>{}', tone, x, _WIDTH, cross)
    height = {"succeeded": 11, "running": 8, "queued": 5}.get(state, 3)
    return format_html(
        '<rect class="ols-{}" x="{}" y="{}" width="{}" height="{}"/>', tone, x, _HEIGHT - height, _WIDTH, height
    )


def _tally(runs: Sequence[Recent]) -> str:
    found = Counter(run.state for run in runs)
    return ", ".join(f"{number(count)} {RUN_MARKS[state].word}" for state, count in found.items())


def durations(runs: Sequence[Recent]) -> SafeString | None:
    """The durations of the runs, oldest first, with a line at the median. Empty without durations."""
    timed = [(run, run.seconds) for run in reversed(runs) if run.seconds is not None]
    longest = max((seconds for _run, seconds in timed), default=0.0)
    if len(timed) < 2 or longest <= 0:
        return None
    middle = percentile((seconds for _run, seconds in timed), 0.5) or 0.0
    step = 600 / len(timed)
    bars = format_html_join(
        "",
        '<rect class="ols-{}" x="{}" y="{}" width="{}" height="{}"/>',
        (
            (
                RUN_MARKS[run.state].tone,
                f"{place * step:.1f}",
                f"{88 - max(seconds / longest * 86, 1):.1f}",
                f"{max(step - 2, 1):.1f}",
                f"{max(seconds / longest * 86, 1):.1f}",
            )
            for place, (run, seconds) in enumerate(timed)
        ),
    )
    y = f"{88 - middle / longest * 86:.1f}"
    label = ngettext(
        "Duration of %(count)d run: median %(middle)s, longest %(longest)s",
        "Durations of %(count)d runs: median %(middle)s, longest %(longest)s",
        len(timed),
    ) % {"count": len(timed), "middle": took(middle), "longest": took(longest)}
    return format_html(
        '<svg class="ols-chart" role="img" aria-label="{}" viewBox="0 0 600 90" preserveAspectRatio="none">{}'
        '<line x1="0" x2="600" y1="{}" y2="{}"/></svg><p class="ols-hint">{}</p>',
        label,
        bars,
        y,
        y,
        _("Oldest first. The highest bar is %(longest)s, the dashed line the median.") % {"longest": took(longest)},
    )


def duration(seconds: float | None, *, p95: float | None) -> SafeString | str:
    """The duration of a run beside the p95 of its job: the line in the middle."""
    if seconds is None or not p95:
        return ""
    share = seconds / p95
    label = _("%(times)s times the p95 of its runs (%(p95)s)") % {"times": decimal(share), "p95": took(p95)}
    return format_html(
        '<svg class="ols-strip" role="img" aria-label="{}" width="61" height="9" viewBox="0 0 61 9"><title>{}</title>'
        '<rect class="ols-{}" y="2" width="{}" height="5"/><path d="M30.5 0v9"/></svg>',
        label,
        label,
        "warn" if share > 1 else "info",
        f"{max(min(share, 2) * 30.5, 1):.1f}",
    )
