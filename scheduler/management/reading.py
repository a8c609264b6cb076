"""Files that commands are given: “-” is standard input, a byte order mark is not part of the text."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TextIO

from django.core.management.base import CommandError

from scheduler.management import printing
from scheduler.services.jobs import documents


def text(file: str | Path) -> str:
    """:raises CommandError: it cannot be read, or is not UTF-8"""
    try:
        return (sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")).removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"{file} cannot be read: {reason}.", returncode=printing.NOT_ASKED) from None


def document(file: str | Path) -> Any:
    """:raises CommandError: it cannot be read, or is not JSON"""
    try:
        return json.loads(text(file))
    except ValueError as error:
        raise CommandError(f"{file} is not JSON: {error}.", returncode=printing.NOT_ASKED) from None
    except RecursionError:
        raise CommandError(f"{file} is nested too deeply.", returncode=printing.NOT_ASKED) from None


@contextmanager
def export(file: str | Path) -> Iterator[Any]:
    """
    Open an export, whose jobs are read one by one. Standard input is copied into a temporary file: it is read twice.

    :raises CommandError: it cannot be read, or is not JSON
    """
    with _opened(file) as opened:
        try:
            yield documents.read(opened)
        except documents.UnreadableDocument as error:
            raise CommandError(f"{file} {error}.", returncode=printing.NOT_ASKED) from None


def _opened(file: str | Path) -> TextIO:
    """:raises CommandError: it cannot be read"""
    try:
        if file != "-":
            return Path(file).open(encoding="utf-8")
        copy = TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - the caller closes it
        shutil.copyfileobj(sys.stdin, copy)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise CommandError(f"{file} cannot be read: {reason}.", returncode=printing.NOT_ASKED) from None
    return copy
