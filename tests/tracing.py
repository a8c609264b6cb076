"""The path of a fire time: which modules and statements are used from its claim to its recorded outcome."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]

_THREADS = ("heartbeat", "wakeups", "events", "reporter", "watchdog", "exporter", "listener")
"""Parts of the names of threads that work beside the path."""


@dataclass(slots=True)
class Trail:
    modules: set[str] = field(default_factory=set)
    """Modules of the scheduler of which a function was called."""
    statements: list[str] = field(default_factory=list)
    """Statements in the order of their execution."""
    is_followed: bool = False


@contextmanager
def following() -> Iterator[Trail]:
    """Follow all threads that are started inside, from the first claim on until ``is_followed`` is false."""
    path = Trail()

    def notice(frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call":
            return
        file = frame.f_code.co_filename
        if not file.startswith(f"{CHECKOUT}/scheduler/"):
            return
        if any(part in threading.current_thread().name for part in _THREADS):
            return
        if path.is_followed:
            path.modules.add(file.removeprefix(f"{CHECKOUT}/"))
            if frame.f_code.co_name == "execute" and isinstance(frame.f_locals.get("statement"), str):
                path.statements.append(frame.f_locals["statement"])

    threading.setprofile(notice)
    sys.setprofile(notice)
    try:
        yield path
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
