"""Files that commands are given: “-” is standard input, a byte order mark is not part of the text."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from scheduler.management import printing


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
