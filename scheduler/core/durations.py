"""Durations as people type them: ``90``, ``2 h``, ``1 h 30 min``, ``1:30:00``, ``PT2H``."""

from __future__ import annotations

import math
import re

_LONGEST = 10_000 * 366 * 86_400.0
"""All of the time that Python's calendar holds."""

_UNITS: dict[str, float] = {
    **dict.fromkeys(("ms", "millisecond", "milliseconds", "milisegundo", "milisegundos"), 0.001),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "seg", "segundo", "segundos"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "minuto", "minutos"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hora", "horas"), 3600),
    **dict.fromkeys(("d", "day", "days", "día", "días", "dia", "dias"), 86_400),
    **dict.fromkeys(("w", "wk", "week", "weeks", "semana", "semanas"), 604_800),
}
_NUMBER = r"\d+(?:[.,]\d+)?"
_ALONE = rf"{_NUMBER}(?:e[+-]?\d{{1,3}})?"
_PART = re.compile(rf"({_NUMBER})\s*([^\W\d_]+)\.?")
_BETWEEN = re.compile(r"\s*(?:,|\band\b|\by\b|\be\b)?\s*")
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_ISO = re.compile(rf"P(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?")
_ISO_UNITS = (604_800, 86_400, 3600, 60, 1)
_SAID = (("d", 86_400), ("h", 3600), ("min", 60))
_MOST_CHARS = 60


class NotADuration(ValueError):
    """The text is not a duration."""


def bounded(seconds: float) -> float:
    """Return a length that can be written in words. Columns of SQL may hold infinite ones, and ``NaN``."""
    return 0.0 if math.isnan(seconds) else max(-_LONGEST, min(_LONGEST, seconds))


def seconds(text: str) -> float:
    """
    Return the seconds that a text means. A number alone counts seconds.

    :raises NotADuration: the text means none
    """
    text = text.strip()
    if len(text) > _MOST_CHARS:
        raise NotADuration(text)
    if re.fullmatch(_ALONE, text):
        return _number(text)
    if match := _CLOCK.fullmatch(text):
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    if (match := _ISO.fullmatch(text.upper())) and text[-1:].upper() not in ("P", "T"):
        return sum(_number(found) * unit for found, unit in zip(match.groups(), _ISO_UNITS, strict=True) if found)
    return _from_units(text.lower())


def _from_units(text: str) -> float:
    total, at = 0.0, 0
    given: set[float] = set()
    while at < len(text):
        match = _PART.match(text, _BETWEEN.match(text, at).end() if given else at)  # type: ignore[union-attr]
        unit = _UNITS.get(match[2]) if match else None
        if match is None or unit is None or unit in given:
            raise NotADuration(text)
        given.add(unit)
        total += _number(match[1]) * unit
        at = match.end()
    if not given:
        raise NotADuration(text)
    return round(total, 6)


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def render(length: float) -> str:
    """``5400`` is ``1 h 30 min``. ``seconds`` of it is the same number again."""
    if length < 0 or length != length or length >= 1e12 or length != round(length, 6):
        return repr(length)
    rest, parts = length, []
    for name, unit in _SAID:
        number = int(rest // unit)
        rest = round(rest - number * unit, 6)
        if number:
            parts.append(f"{number} {name}")
    if rest or not parts:
        parts.append(f"{_plain(rest)} s")
    said = " ".join(parts)
    return said if seconds(said) == length else _plain(length)


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:.6f}".rstrip("0")


def iso(length: float) -> str:
    """Return ISO 8601, as JSON Schema has durations: ``5400`` is ``PT1H30M``."""
    rest, text = length, ""
    for letter, unit in (("H", 3600), ("M", 60)):
        number = int(rest // unit)
        rest = round(rest - number * unit, 6)
        text += f"{number}{letter}" if number else ""
    if rest or not text:
        text += f"{_plain(rest)}S"
    return f"PT{text}"
