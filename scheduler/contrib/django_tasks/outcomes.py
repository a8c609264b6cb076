"""Exceptions that stand for outcomes which no exception of the task's own code brought about."""

from __future__ import annotations


class RunTimedOut(Exception):
    """The run took longer than its timeout."""


class RunCancelled(Exception):
    """Somebody cancelled the run."""


class RunInterrupted(Exception):
    """The node of the run stopped without recording an outcome."""


class RunExpired(Exception):
    """The run had not begun when it expired."""
