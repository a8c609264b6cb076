"""The catalogues of Django: messages rendered in the language that is active."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext

from scheduler import messages


class _ActiveLanguage:
    """The catalogues of Django, for the language that is active."""

    def message(self, text: str, *, context: str | None) -> str:
        if not text:  # gettext would answer with the head of its catalogue
            return text
        return gettext(text) if context is None else pgettext(context, text)

    def plural(self, one: str, many: str, *, number: int) -> str:
        return ngettext(one, many, number)

    def value(self, value: Any, *, form: str) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return format(value, form)
        text = format(value, form.replace(",", ""))
        return number_format(text, use_l10n=True, force_grouping="," in form)


def translate(text: str) -> str:
    """Render a message in the active language. Plain text stays as it is."""
    return messages.translate(text, _active)


_active = _ActiveLanguage()
