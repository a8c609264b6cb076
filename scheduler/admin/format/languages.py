"""The languages of people: phrases, errors and stored reasons as the reader's language says them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext, pgettext

from scheduler.errors import SchedulerError
from scheduler.phrases import message, phrase, put

_STORED = (
    message("It has no further fire time."),
    message("The job was paused before this could start."),
    message("The job was broken: {reason}"),
    message("The job was deleted."),
    message("Created paused."),
    message("It was paused when it was adopted."),
    message("Backfill."),
    message("Cancelled before it began."),
    message("Cancelled by {who} before it began."),
    message("Cancelled while it ran."),
    message("Failed {number} times in a row."),
    message("More than {most} fire times were due at once; only the newest {most} are run."),
    message("Noticed {late} s late; the misfire grace time is {grace} s."),
    message("{number} run of this job still active; max_instances is {most}."),
    message("{number} runs of this job still active; max_instances is {most}."),
    message("No task is registered as “{name}”. Is its app in INSTALLED_APPS?"),
)
"""Sentences that nodes and services write into the tables, in English as the API gives them."""


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
    """Say a text or an error in the reader's language, as far as it is made of phrases."""
    if isinstance(said, SchedulerError):
        return put(said.message, _translations)
    return put(said, _translations) if isinstance(said, str) else str(said)


def told_again(stored: str) -> str:
    """Translate a sentence that was stored in English. Texts by people stay as they are."""
    for template in _STORED:
        if found := _pattern(template).fullmatch(stored):
            return told(phrase(template, **{name: told_again(value) for name, value in found.groupdict().items()}))
    return stored


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """The pattern of sentences made from the template."""
    seen: set[str] = set()
    made = ""
    for place, part in enumerate(re.split(r"\{(\w+)\}", template)):
        if place % 2 == 0:
            made += re.escape(part)
        elif part in seen:
            made += f"(?P={part})"
        else:
            seen.add(part)
            made += f"(?P<{part}>.+)"
    return re.compile(made, re.DOTALL)
