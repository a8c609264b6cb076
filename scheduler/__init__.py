"""
Run Python functions on a schedule, and account for every time they should have run.

The public names: ``task`` registers a function. Inside one, ``current_run`` tells about its own run, raising ``Retry``
asks to be run again later, and raising ``Skip`` ends it as skipped. ``schedule`` declares a job for a task. ``Secret``
marks arguments whose values stay hidden.
"""

from scheduler.context import current_run
from scheduler.core.tasks.registry import Secret, task
from scheduler.errors import Retry, RunStopped, Skip
from scheduler.schedules import rows, schedule

__all__ = ["Retry", "RunStopped", "Secret", "Skip", "__version__", "current_run", "rows", "schedule", "task"]

__version__ = "0.1.0"
