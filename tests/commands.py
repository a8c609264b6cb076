"""What commands print, without a process for each."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from django.core.management import ManagementUtility


def help_of(*words: str) -> str:
    """Return what ``manage.py`` prints for these words and ``--help``."""
    shown = io.StringIO()
    arguments = ["manage.py", *words, "--help"]
    with redirect_stdout(shown), pytest.raises(SystemExit):
        ManagementUtility(arguments).fetch_command(words[0]).run_from_argv(arguments)
    return shown.getvalue()
