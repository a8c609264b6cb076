"""
Run Python functions on a schedule, and account for every time they should have run.

The public names: ``task`` registers a function, ``current_run`` tells a running task about itself.
"""

from scheduler.core.context import current_run
from scheduler.core.registry import task

__all__ = ["__version__", "current_run", "task"]

__version__ = "0.1.0"
