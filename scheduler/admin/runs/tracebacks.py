"""A traceback as its reader wants it: the project's own frames first."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FRAME = re.compile(r'^ +File "(?P<path>[^"]+)", line (?P<line>\d+)')
_SEPARATOR = re.compile(r"[/\\]")
_FOREIGN = re.compile(
    r"(site-packages|dist-packages|/lib/python\d|[/\\]Lib[/\\]|^<|/scheduler/execution/|/scheduler/context)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    own: str
    """The frames of the project's own code in the order of calls, or an empty tuple."""

    end: str
    """The exception."""

    frames: int
    place: str
    """``shop.py:118``, the innermost own frame, or an empty text."""


def read(text: str) -> Trace:
    """Parse the last traceback in a text. Earlier ones stay in the whole text only."""
    lines = text.splitlines()
    start = max((number for number, line in enumerate(lines) if line.startswith("Traceback (")), default=-1)
    own: list[str] = []
    end: list[str] = []
    frames, place, keep, in_frame = 0, "", False, False
    for line in lines[start + 1 :]:
        if found := _FRAME.match(line):
            frames += 1
            in_frame = True
            keep = not _FOREIGN.search(found["path"])
            if keep:
                place = f"{_SEPARATOR.split(found['path'])[-1]}:{found['line']}"
        elif in_frame and not line.startswith(" "):
            in_frame = keep = False
        if keep:
            own.append(line)
        elif not in_frame and line:
            end.append(line)
    return Trace(own="\n".join(own), end="\n".join(end), frames=frames, place=place)
