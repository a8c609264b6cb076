"""The reader's language: messages and errors rendered with the catalogues of Django."""

from __future__ import annotations

from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext

from scheduler.errors import SchedulerError
from scheduler.messages import translate


class _Translations:
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


_translations = _Translations()


def told(said: str | Exception) -> str:
    """Say a text or an error in the reader's language, as far as it is made of messages."""
    if isinstance(said, SchedulerError):
        return translate(said.message, _translations)
    return translate(said, _translations) if isinstance(said, str) else str(said)
