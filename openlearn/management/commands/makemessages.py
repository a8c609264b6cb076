"""Collect the texts that are translated, also those of code that knows no languages."""

from __future__ import annotations

from django.core.management.commands import makemessages

_FUNCTIONS = (
    "declare:2",
    "declare_counted:2,3",
    "phrase:1",
    "phrase_in:1c,2",
    "phrase_of:1,2",
    "message:1",
    "message_in:1c,2",
    "messages:1,2",
)
"""The functions of ``scheduler.messages``, and which of their arguments are texts."""


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, *(f"--keyword={name}" for name in _FUNCTIONS)]
