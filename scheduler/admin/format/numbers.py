"""Numbers and dates as the reader's language writes them."""

from __future__ import annotations

from datetime import date

from django.utils.formats import date_format, number_format
from django.utils.translation import get_language

_IN_LOWER_CASE = ("es",)
"""Languages whose names of days and months begin with a small letter, other than in Django's catalogue."""


def number(value: float) -> str:
    """A count: ``50,401``."""
    return number_format(value, use_l10n=True, force_grouping=True)


def decimal(value: float, *, places: int = 1) -> str:
    """A number with decimals: ``1.5``."""
    return number_format(f"{value:.{places}f}", use_l10n=True)


def day(at: date, pattern: str) -> str:
    """A date in Django's notation: ``Tue 24 Nov`` for ``D j M``."""
    text = date_format(at, pattern)
    return text.lower() if (get_language() or "").partition("-")[0] in _IN_LOWER_CASE else text
