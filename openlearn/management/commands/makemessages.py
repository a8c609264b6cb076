"""Collect the texts that are translated, also those of code that knows no languages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.commands import makemessages

from scheduler.messages import DECLARED

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

_ERRORS = Path("scheduler/errors_docstrings.py")
"""A file for the length of the command: the messages of errors are their docstrings, where xgettext sees no text."""


class Command(makemessages.Command):
    xgettext_options = [*makemessages.Command.xgettext_options, *(f"--keyword={name}" for name in _FUNCTIONS)]

    def handle(self, *args: Any, **options: Any) -> None:
        texts = [declared.text for code, declared in DECLARED.items() if code.startswith("error.")]
        _ERRORS.write_text("".join(f"message({text!r})\n" for text in texts), encoding="utf-8")
        try:
            super().handle(*args, **options)
        finally:
            _ERRORS.unlink()
