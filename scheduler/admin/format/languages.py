"""The reader's language: messages and errors rendered with the catalogues of Django."""

from __future__ import annotations

from scheduler.errors import SchedulerError
from scheduler.translations import translate


def told(said: str | Exception) -> str:
    """Say a text or an error in the reader's language, as far as it is made of messages."""
    if isinstance(said, SchedulerError):
        return translate(said.message)
    return translate(said) if isinstance(said, str) else str(said)
