"""The public holidays of countries, as the package ``holidays`` knows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from scheduler.core.triggers.calendars import error_messages
from scheduler.core.triggers.calendars.rules import Country
from scheduler.errors import InvalidCalendar

YEARS_AHEAD = 20
"""So many years of holidays are stored with a calendar. ``refresh`` renews them."""


def dates(countries: Iterable[Country], *, today: date) -> tuple[tuple[str, str], ...]:
    """
    Return the holidays from last year on, as ISO dates and names in the language of the country, by date.

    :raises InvalidCalendar: a country is unknown, or the package is not installed
    """
    found: dict[str, str] = {}
    for country in countries:
        for day, name in _of(country, today.year):
            found.setdefault(day.isoformat(), name)
    return tuple(sorted(found.items()))


def _of(country: Country, year: int) -> Iterable[tuple[date, str]]:
    try:
        import holidays
    except ImportError:
        needed = error_messages.HOLIDAYS_NEEDED(line=country.line, package="holidays")
        raise InvalidCalendar(needed, field="rules") from None
    years = range(year - 1, year + YEARS_AHEAD + 1)
    part = country.part or None
    try:
        # Without a language, the names would be those of the machine's.
        language = holidays.country_holidays(country.country).default_language
        return list(holidays.country_holidays(country.country, subdiv=part, years=years, language=language).items())
    except (NotImplementedError, KeyError, AttributeError):
        problem = error_messages.UNKNOWN_COUNTRY(line=country.line, country=country.code)
        raise InvalidCalendar(problem, field="rules") from None
