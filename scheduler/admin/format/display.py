"""Instants, durations and states as people read them: one vocabulary for every page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from scheduler import conf
from scheduler.admin.format.languages import told
from scheduler.admin.format.marks import JOB_MARKS as JOB_MARKS
from scheduler.admin.format.marks import NODE_KINDS as NODE_KINDS
from scheduler.admin.format.marks import NODE_MARKS as NODE_MARKS
from scheduler.admin.format.marks import RUN_MARKS as RUN_MARKS
from scheduler.admin.format.marks import Mark as Mark
from scheduler.admin.format.marks import badge as badge
from scheduler.admin.format.numbers import day as day
from scheduler.admin.format.numbers import decimal as decimal
from scheduler.admin.format.numbers import number as number
from scheduler.core import durations
from scheduler.core.triggers.zones import zone_named
from scheduler.logbook import visible
from scheduler.services.masking import MASK as MASK
from scheduler.services.masking import masked as masked
from scheduler.services.queries import overview

_MOST_CHARS = 160
_PRODUCTION = ("production", "prod", "live")
_DIRECTIONS = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
"""Marks that turn the direction of text: with them, a line could be read as another than it is."""


KINDS = {
    "scheduled": gettext_lazy("schedule"),
    "manual": gettext_lazy("manual"),
    "retry": gettext_lazy("retry"),
    "recovery": gettext_lazy("recovery"),
}


def run_badge(state: str) -> SafeString:
    return badge(RUN_MARKS[state])


def job_badge(condition: str) -> SafeString:
    return badge(JOB_MARKS[condition])


def environment_badge() -> SafeString | str:
    """The environment of ``SCHEDULER['ENVIRONMENT']``, or an empty text. Production stands out."""
    name = first_line(conf.get().environment, most=40)
    if not name:
        return ""
    is_production = name.casefold() in _PRODUCTION
    return format_html(
        '<strong class="ols-environment ols-{}"><span class="ols-unseen">{}</span> {}</strong>',
        "bad" if is_production else "mute",
        _("Environment:"),
        name.upper() if is_production else name,
    )


def span(length: timedelta | float) -> str:
    """``42 s``, ``47 min``, ``3 h``, ``12 days``: the largest unit alone, rounded down."""
    seconds = abs(_seconds(length))
    if seconds < 60:
        return _("%d s") % seconds
    if seconds < 3600:
        return _("%d min") % (seconds // 60)
    if seconds < 48 * 3600:
        return _("%d h") % (seconds // 3600)
    days = int(seconds // 86400)
    return ngettext("%s day", "%s days", days) % number(days)


def took(length: timedelta | float) -> str:
    """A duration, exact enough to compare: ``4 ms``, ``59.9 s``, ``2 min 0 s``, ``3 h 2 min``."""
    seconds = _seconds(length)
    if seconds < 1:
        return _("%d ms") % round(seconds * 1000)
    if seconds < 60:
        return _("%s s") % decimal(seconds)
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}


def exactly(length: timedelta | float) -> str:
    """A configured length in full: ``90 s`` is ``1 min 30 s``, and ``5 min`` stays so."""
    minutes, rest = divmod(_seconds(length), 60)
    hours, minutes = divmod(int(minutes), 60)
    days, hours = divmod(hours, 24)
    said = [
        ngettext("%s day", "%s days", days) % number(days) if days else "",
        _("%d h") % hours if hours else "",
        _("%d min") % minutes if minutes else "",
        _("%s s") % number_format(f"{rest:.3f}".rstrip("0").rstrip("."), use_l10n=True) if rest else "",
    ]
    return " ".join(filter(None, said)) or _("%d s") % 0


def _seconds(length: timedelta | float) -> float:
    return length.total_seconds() if isinstance(length, timedelta) else durations.bounded(length)


def run_time(run: Any) -> str:
    """The duration of a run, empty if it did not start or has not ended."""
    if run.started_at is None or run.finished_at is None:
        return ""
    return took(run.finished_at - run.started_at)


_NEAR = {0: gettext_lazy("today %s"), -1: gettext_lazy("yesterday %s"), 1: gettext_lazy("tomorrow %s")}
"""The days that have words, by their distance from today."""


def clock(at: datetime, *, now: datetime, to_the_second: bool = False) -> str:
    """``today 02:00``, ``yesterday 02:00``, ``Tue 24 Nov 02:00``, in the zone that the page names."""
    local, today = timezone.localtime(at), timezone.localtime(now).date()
    time = f"{local:%H:%M:%S}" if to_the_second else f"{local:%H:%M}"
    days = (local.date() - today).days
    if days in _NEAR:
        return str(_NEAR[days]) % time
    pattern = "D j M" if local.year == today.year else "j M Y"
    return f"{day(local, pattern)} {time}"


def distance(at: datetime, *, now: datetime) -> str:
    """``47 min ago`` or ``in 5 min``."""
    if abs(now - at) < timedelta(seconds=1):
        return _("now")
    return (_("%s ago") if at <= now else _("in %s")) % span(now - at)


def age_texts() -> dict[str, str]:
    """The messages of ``span``, ``distance`` and ``due``, with “%s” for the number or the length."""
    return {
        "s": _("%d s").replace("%d", "%s"),
        "min": _("%d min").replace("%d", "%s"),
        "h": _("%d h").replace("%d", "%s"),
        "d": ngettext("%s day", "%s days", 2),
        "ago": _("%s ago"),
        "in": _("in %s"),
        "overdue": _("overdue %s"),
        "now": _("now"),
    }


def moment(at: datetime | None, *, now: datetime | None = None) -> SafeString | str:
    """An instant with both readings, and to the second with its offset in the tooltip."""
    if at is None:
        return "–"
    now = now or timezone.now()
    return _tagged(at, clock(at, now=now), distance(at, now=now), kind="since")


def heard(at: datetime | None, *, now: datetime | None = None) -> SafeString | str:
    """When a node was heard last. While it is alive that is said once, and not every few seconds anew."""
    now = now or timezone.now()
    fresh = overview.fresh_seconds()
    if at is None or (now - at).total_seconds() > fresh:
        return moment(at, now=now)
    return _("less than %s ago") % span(fresh)


def due(at: datetime | None, *, now: datetime | None = None, to_the_second: bool = False) -> SafeString | str:
    """The next run of a job. A passed one is overdue, never “in 0 minutes”."""
    if at is None:
        return "–"
    now = now or timezone.now()
    shown = clock(at, now=now, to_the_second=to_the_second)
    if at > now:
        return _tagged(at, shown, distance(at, now=now), kind="due")
    late = _("now") if now - at < timedelta(seconds=5) else _("overdue %s") % span(now - at)
    return _tagged(at, shown, late, kind="due")


def due_to_the_second(at: datetime) -> SafeString | str:
    return due(at, to_the_second=True)


AGES = re.compile(r'(<span data-age="(?:since|due)">)[^<]*')
"""Distances of instants in pages, which the script keeps up to date."""


def _tagged(at: datetime, shown: str, age: str, *, kind: str) -> SafeString:
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{} · <span data-age="{}">{}</span></time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %z}",
        shown,
        kind,
        age,
    )


def beside(at: datetime, zone: str) -> str:
    """``02:00 Europe/Berlin``: the same instant on another clock, empty if both clocks agree."""
    try:
        local, there = timezone.localtime(at), at.astimezone(zone_named(zone))
    except LookupError:
        return ""
    return _other_clock(there, zone, than=local)


def on_the_pages_clock(at: datetime, *, zone: tzinfo) -> str:
    """The other way round: what stands on the page's clock beside that of a zone."""
    return _other_clock(timezone.localtime(at), timezone.get_current_timezone_name(), than=at.astimezone(zone))


def _other_clock(local: datetime, zone: str, *, than: datetime) -> str:
    if local.utcoffset() == than.utcoffset():
        return ""
    on = "" if local.date() == than.date() else f"{day(local, 'D j M')} "
    return f"{on}{local:%H:%M} {zone}"


def zone_line(*, now: datetime | None = None) -> str:
    """``Europe/Berlin (UTC+01:00)``: whose clock the times of a page are."""
    return f"{timezone.get_current_timezone_name()} ({offset(timezone.localtime(now or timezone.now()))})"


def offset(local: datetime) -> str:
    """``UTC+01:00``"""
    text = f"{local:%z}"
    return f"UTC{text[:3]}:{text[3:5]}"


def plain(text: str | None) -> str:
    """Text as text: control characters as pictures, and without marks that turn its direction."""
    return visible(text or "").translate(_DIRECTIONS)


def first_line(text: str | None, *, most: int = _MOST_CHARS) -> str:
    line = plain(text).strip().partition("\n")[0]
    return f"{line[: most - 1]}…" if len(line) > most else line


def whole_reason(text: str | None) -> str:
    """Why something is as it is: in the reader's language if the scheduler wrote it."""
    return plain(told(text or ""))


def reason(text: str | None, *, most: int = _MOST_CHARS) -> str:
    """The same on one line."""
    return first_line(told(text or ""), most=most)
