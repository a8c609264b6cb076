"""
Run Python functions on a schedule, and account for every time they should have run.

The public names: ``task`` registers a function. Inside one, ``current_run`` tells about its own run, raising ``Retry``
asks to be run again later, and raising ``Skip`` ends it as skipped. ``schedule`` declares a job for a task. ``Secret``
marks arguments whose values stay hidden.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.context import current_run
    from scheduler.core.tasks.registry import Secret, task
    from scheduler.errors import Retry, RunStopped, Skip
    from scheduler.schedules import rows, schedule

__all__ = ["Retry", "RunStopped", "Secret", "Skip", "__version__", "current_run", "rows", "schedule", "task"]

__version__ = "0.1.0"

_HOMES = {
    "current_run": "scheduler.context",
    "Retry": "scheduler.errors",
    "RunStopped": "scheduler.errors",
    "Secret": "scheduler.core.tasks.registry",
    "Skip": "scheduler.errors",
    "rows": "scheduler.schedules",
    "schedule": "scheduler.schedules",
    "task": "scheduler.core.tasks.registry",
}
"""Names are imported when they are first asked for: a pacemaker needs none, and starts beside every node."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
