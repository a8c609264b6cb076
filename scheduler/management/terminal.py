"""Terminals: commands whose output cannot control the terminal that shows it."""

from __future__ import annotations

from typing import Any, TextIO

from django.core.management.base import BaseCommand, OutputWrapper
from django.core.management.color import no_style

from scheduler.logbook import visible

_ANEW = "\r\x1b[K"
"""Moves to the start of the line and clears it."""


class SafeOutput(OutputWrapper):
    """
    Shows control characters as pictures: errors quote scraped pages, and names come from other systems.

    Colours are those that the command names as ``style_func``. In the text itself they are control characters.
    """

    def __init__(self, stream: TextIO | OutputWrapper) -> None:
        out: Any = stream
        while isinstance(out, OutputWrapper):
            out = out._out
        super().__init__(out)
        self._terminal = out

    def write(self, msg: str = "", style_func: Any = None, ending: str | None = None) -> None:  # type: ignore[override]
        super().write(visible(msg), style_func, ending)

    def overwrite(self, text: str) -> None:
        """Show a text in place of the present line, for a progress that moves."""
        self._terminal.write(f"{_ANEW}{visible(text)}")
        self.flush()


class SafeCommand(BaseCommand):
    """A command whose standard output and errors are ``SafeOutput``. Every command of this project is one."""

    @property
    def stdout(self) -> SafeOutput:
        return self._stdout

    @stdout.setter
    def stdout(self, stream: OutputWrapper) -> None:
        self._stdout = SafeOutput(stream)

    @property
    def stderr(self) -> SafeOutput:
        return self._stderr

    @stderr.setter
    def stderr(self, stream: OutputWrapper) -> None:
        self._stderr = SafeOutput(stream)

    def check(self, *args: Any, **options: Any) -> Any:
        """Check the project. Django puts colours into the text of these messages, so they come without."""
        style, self.style = self.style, no_style()
        try:
            return super().check(*args, **options)
        finally:
            self.style = style
