"""Time zones by name, and the stretches of time in which a zone's offset from UTC does not change."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from scheduler.core.triggers import error_messages
from scheduler.errors import InvalidTrigger

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY_SECONDS = 86_400
CHUNK_SECONDS = 64 * DAY_SECONDS
"""The stretch of a zone that is probed at once: long enough for most answers, short enough to be cheap."""

FIRST_INSTANT = int((datetime(1, 1, 3, tzinfo=UTC) - EPOCH) // SECOND)
LAST_INSTANT = int((datetime(9999, 12, 29, tzinfo=UTC) - EPOCH) // SECOND)
"""Two days from the ends of what a datetime can hold, so that no offset leads out of it."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+\-]*(/[A-Za-z0-9_+\-]+)*", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_NOT_PLACES = ("posix", "right", "localtime", "Factory", "posixrules")


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    A time in which the offset does not change. From ``start`` up to but not including ``end``.

    All in seconds: instants since 1970 in UTC, offsets east of UTC. Positional, because it is made in a tight loop.
    """

    start: int
    end: int
    offset: int
    before: int
    """The offset just before ``start``: less than ``offset`` where clocks went forward, more where they went back."""


class _DefaultZone:
    """The zone of triggers that name none. The project says it once, so that every door has the same."""

    def __init__(self) -> None:
        self.named: Callable[[], str] = lambda: "UTC"


_default = _DefaultZone()


def use_default_zone(named: Callable[[], str]) -> None:
    """Let this say the name of the zone of triggers that name none."""
    _default.named = named


def default_zone() -> str:
    return _default.named()


@lru_cache(maxsize=1024)
def zone_named(name: str) -> tzinfo:
    """
    Return the zone of an IANA name such as ``Europe/Berlin``, or of a fixed offset such as ``+02:00``.

    :raises LookupError: there is none
    """
    if name == "UTC":
        return UTC
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes, seconds = offset.groups()
        span = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
        if span >= timedelta(hours=24):
            raise LookupError(name)
        return timezone(-span if sign == "-" else span) if span else UTC
    if len(name) > 64 or not _NAME.fullmatch(name) or name.partition("/")[0] in _NOT_PLACES:
        raise LookupError(name)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise LookupError(name) from None


def forget() -> None:
    """Drop what was computed from the rules of time zones: the system has other ones now."""
    ZoneInfo.clear_cache()
    for cached in (zone_named, _whole, _stretches):
        cached.cache_clear()


def parse_zone(value: object, *, pointer: str) -> tzinfo:
    """:raises InvalidTrigger: it is not a time zone"""
    try:
        return zone_named(zone_name(value) if isinstance(value, tzinfo) else str(value))
    except LookupError:
        pass
    text = str(value)[:64]
    close = _closest(text)
    problem = (
        error_messages.UNKNOWN_ZONE_BUT(text=text, close=close) if close else error_messages.UNKNOWN_ZONE(text=text)
    )
    raise InvalidTrigger(problem, pointer=pointer, code="unknown_timezone")


def _closest(text: str) -> str:
    """Return the zone that was probably meant, or an empty string if none is near."""
    plain = text.strip().casefold()
    if offset := re.fullmatch(r"(?:gmt|utc)?([+-])(\d{1,2})(?::?([0-5]\d))?", plain, re.ASCII):
        return f"{offset[1]}{int(offset[2]):02}:{offset[3] or '00'}" if int(offset[2]) < 24 else ""
    if plain == "z":
        return "UTC"
    names = {name.casefold(): name for name in available_timezones() if name.partition("/")[0] not in _NOT_PLACES}
    if plain in names:
        return names[plain]
    # An abbreviation is near to others that mean another time.
    near = difflib.get_close_matches(plain, [name for name in names if "/" in name], n=1, cutoff=0.8)
    return names[near[0]] if near else ""


def zone_name(zone: tzinfo) -> str:
    """
    Return the name under which ``zone_named`` finds the zone again: of ``zoneinfo``, ``pytz`` or a fixed offset.

    :raises LookupError: the zone has no such name
    """
    key = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if key:
        return "UTC" if zone_named(str(key)) is UTC else str(key)
    offset = zone.utcoffset(None)
    if offset is None or offset % SECOND:
        raise LookupError(repr(zone))
    return offset_name(int(offset // SECOND))


def offset_name(seconds: int) -> str:
    """``+02:00``. An offset of zero is ``UTC``."""
    if not seconds:
        return "UTC"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02}:{minutes:02}" + (f":{rest:02}" if rest else "")


def instant_of(moment: datetime) -> int:
    """Seconds since 1970 in UTC, rounded down."""
    return (moment - EPOCH) // SECOND


def moment_of(instant: int) -> datetime:
    return EPOCH + timedelta(seconds=instant)


def stretch_at(zone: tzinfo, instant: int) -> Stretch:
    """Return a stretch that holds the instant. It may be shorter than the time between two clock changes."""
    if isinstance(zone, timezone):
        return _whole(zone)
    for stretch in _stretches(zone, instant // CHUNK_SECONDS):
        if instant < stretch.end:
            return stretch
    raise AssertionError("the stretches of a chunk cover it")


@lru_cache(maxsize=256)
def _whole(zone: timezone) -> Stretch:
    """The one stretch of a fixed offset."""
    offset = _offset_at(zone, 0)
    return Stretch(FIRST_INSTANT, LAST_INSTANT, offset, offset)


@lru_cache(maxsize=8192)
def _stretches(zone: tzinfo, chunk: int) -> tuple[Stretch, ...]:
    start = chunk * CHUNK_SECONDS
    end = start + CHUNK_SECONDS
    before = _offset_at(zone, start - 1)
    offset = _offset_at(zone, start)
    found = []
    for day_end in range(start + DAY_SECONDS, end + 1, DAY_SECONDS):
        last = _offset_at(zone, day_end - 1)
        if last != offset:
            change = _first_with_offset(zone, day_end - DAY_SECONDS, day_end - 1, last)
            if change > start:
                found.append(Stretch(start, change, offset, before))
                before = offset
            start, offset = change, last
        following = _offset_at(zone, day_end) if day_end < end else offset
        if following != offset:
            found.append(Stretch(start, day_end, offset, before))
            start, before, offset = day_end, offset, following
    found.append(Stretch(start, end, offset, before))
    return tuple(found)


def _first_with_offset(zone: tzinfo, without: int, having: int, offset: int) -> int:
    """Halve the time between an instant without and one with the offset until the change is found."""
    while having - without > 1:
        middle = (without + having) // 2
        if _offset_at(zone, middle) == offset:
            having = middle
        else:
            without = middle
    return having


def _offset_at(zone: tzinfo, instant: int) -> int:
    moment = moment_of(min(max(instant, FIRST_INSTANT), LAST_INSTANT)).astimezone(zone)
    return (moment.utcoffset() or timedelta()) // SECOND


def instant_of_wall(zone: tzinfo, wall: int) -> int:
    """
    Return when clocks in the zone show this time of a date: the first of two, or just after a gap.

    ``wall`` is in seconds since 1970 on those clocks.
    """
    # Offsets lie within a day: the stretch that owns the time is one of those around the time read as UTC.
    instant = wall - DAY_SECONDS
    while True:
        stretch = stretch_at(zone, instant)
        if wall < stretch.end + stretch.offset:
            return max(wall - stretch.offset, stretch.start)
        instant = stretch.end


def wall_of(moment: datetime) -> int:
    """Seconds since 1970 on the clock that a datetime shows, whatever its zone."""
    return (moment.replace(tzinfo=UTC, fold=0) - EPOCH) // SECOND


def wall_time(moment: datetime, zone: tzinfo) -> datetime | None:
    """
    Return what clocks in the zone show at an instant, without an offset.

    ``None``: they show it a second time, so that ``resolve`` would find the first of the two instants.
    """
    wall = moment.astimezone(zone).replace(tzinfo=None, fold=0)
    return wall if resolve(wall, zone) == moment else None


def resolve(naive: datetime, zone: tzinfo) -> datetime:
    """Return the UTC moment of a naive local time, by the same rule as ``instant_of_wall``."""
    whole = instant_of_wall(zone, wall_of(naive))
    resolved = moment_of(whole)
    if naive.microsecond and wall_of(resolved.astimezone(zone)) == wall_of(naive):
        resolved += timedelta(microseconds=naive.microsecond)
    return resolved
