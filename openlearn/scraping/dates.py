"""Dates as feeds, sitemaps and headers write them: the right instant, or none. A guess is never stored as a fact."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janvier enero ene gennaio gen janeiro",
            "feb february februar février fevrier febrero febbraio fevereiro fév fev",
            "mar march märz maerz mär mrz mars marzo março marco",
            "apr april avril abril aprile avr abr",
            "may mai mayo maggio maio mag",
            "jun june juni juin junio giugno junho giu",
            "jul july juli juillet julio luglio julho juil lug",
            "aug august août aout agosto ago",
            "sep sept september septembre septiembre settembre setembro set",
            "oct october oktober okt octobre octubre ottobre ott outubro out",
            "nov november novembre noviembre novembro",
            "dec december dezember dez décembre decembre diciembre dic dicembre dezembro déc",
        ),
        start=1,
    )
    for name in names.split()
}

_ZONES = {
    "": 0, "z": 0, "utc": 0, "gmt": 0, "ut": 0, "wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "mez": 1,
    "mesz": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9, "hkt": 8, "sgt": 8, "awst": 8, "acst": 9.5,
    "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13, "est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7,
    "mdt": -6, "pst": -8, "pdt": -7, "akst": -9, "akdt": -8, "hst": -10, "art": -3, "brt": -3,
}  # fmt: skip
"""Hours east of Greenwich. Those of RFC 822, and others that mean one thing (IST, for one, means three)."""

_OFFSET = r"(?:(?:gmt|utc|ut)?\s*([+-])\s*(\d{1,2}):?(\d{2})?(?::\d{2})?|\(?([a-z]{1,4})\)?)?(?:\s*\([^)]*\))?"
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?"
_MAIL = re.compile(
    rf"(?:[^\W\d]+\.?,?\s*)?(\d{{1,2}})\.?[\s-]+([^\W\d]+)\.?,?[\s-]+(\d{{4}}|\d{{2}})(?:,?\s+{_CLOCK}\s*{_OFFSET})?",
    re.I,
)
_MONTH_FIRST = re.compile(
    rf"(?:[^\W\d]+\.?,?\s+)?([^\W\d]+)\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?:,?\s+{_CLOCK}\s*{_OFFSET})?",
    re.I,
)
_UNIX = re.compile(rf"[^\W\d]+\s+([^\W\d]+)\s+(\d{{1,2}})\s+{_CLOCK}\s+(?:([a-z]{{1,4}})\s+)?(\d{{4}})", re.I)
_NUMERIC = re.compile(rf"(\d{{4}})([-/.])(\d{{1,2}})\2(\d{{1,2}})(?:(?:\s*T\s*|\s+){_CLOCK}\s*{_OFFSET})?", re.I)
_EAST_ASIAN = re.compile(
    rf"(\d{{4}})\s*[年년]\s*(\d{{1,2}})\s*[月월]\s*(\d{{1,2}})\s*[日일](?:\s*{_CLOCK}\s*{_OFFSET})?", re.I
)
_YEAR_MONTH = re.compile(r"(\d{4})-(\d{2})")


def instant(value: str) -> datetime | None:
    """
    Read a date of RFC 822, W3C or one of the common mistakes. Return ``None`` if it cannot be read for certain.

    Without a zone it is taken as UTC. Unknown or ambiguous zones, and impossible years of publication, give ``None``.
    """
    written = " ".join(value.split())[:100]
    for read in (_iso, _numeric, _mail, _month_first, _unix, _east_asian):
        try:
            found = read(written)
        except (ValueError, OverflowError, KeyError):
            continue
        if found is not None:
            return plausible(found)
    return None


def w3c(value: str) -> datetime | None:
    """Read the date of a sitemap: also a year and month alone, or a year alone."""
    written = value.strip()
    if month := _YEAR_MONTH.fullmatch(written):
        written = f"{month[1]}-{month[2]}-01"
    elif re.fullmatch(r"\d{4}", written):
        written = f"{written}-01-01"
    return instant(written)


def plausible(moment: datetime | None) -> datetime | None:
    """Return ``None`` for impossible years of publication: some cannot even be shown in every time zone."""
    return moment if moment is not None and 1900 < moment.year < 2200 else None


def _iso(written: str) -> datetime | None:
    parsed = datetime.fromisoformat(written)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _numeric(written: str) -> datetime | None:
    if (found := _NUMERIC.fullmatch(written)) is None:
        return None
    year, _, month, day, *clock = found.groups()
    return _made(int(year), int(month), int(day), clock)


def _mail(written: str) -> datetime | None:
    if (found := _MAIL.fullmatch(written)) is None:
        return None
    day, month, year, *clock = found.groups()
    return _made(_full(year), _MONTHS[month.lower()], int(day), clock)


def _month_first(written: str) -> datetime | None:
    if (found := _MONTH_FIRST.fullmatch(written)) is None:
        return None
    month, day, year, *clock = found.groups()
    return _made(int(year), _MONTHS[month.lower()], int(day), clock)


def _unix(written: str) -> datetime | None:
    if (found := _UNIX.fullmatch(written)) is None:
        return None
    month, day, hour, minute, second, zone, year = found.groups()
    return _made(int(year), _MONTHS[month.lower()], int(day), (hour, minute, second, None, None, None, zone))


def _east_asian(written: str) -> datetime | None:
    if (found := _EAST_ASIAN.fullmatch(written)) is None:
        return None
    year, month, day, *clock = found.groups()
    return _made(int(year), int(month), int(day), clock)


def _made(year: int, month: int, day: int, clock: Sequence[str | None]) -> datetime:
    """``clock``: hour, minute, second, sign, hours and minutes east, name of a zone, each as far as it is known."""
    hour, minute, second, sign, east_hours, east_minutes, zone = clock
    if sign:
        east = timedelta(hours=int(east_hours or 0), minutes=int(east_minutes or 0)) * (1 if sign == "+" else -1)
    else:
        east = timedelta(hours=_ZONES[(zone or "").lower()])
    local = datetime(
        year, month, day, int(hour or 0), int(minute or 0), min(int(second or 0), 59), tzinfo=timezone(east)
    )
    return local.astimezone(UTC)


def _full(year: str) -> int:
    """RFC 2822, 4.3: years of two digits."""
    number = int(year)
    return number if len(year) == 4 else number + (2000 if number < 50 else 1900)
