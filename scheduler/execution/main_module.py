"""Child processes that do not run the main module of their parent once more."""

from __future__ import annotations

import multiprocessing.spawn
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scheduler.core.tasks.registry import registry

_starting = threading.local()


@contextmanager
def left_out() -> Iterator[None]:
    """
    Let this thread start processes that do not run the main module, unless that has tasks.

    A script without an ``if __name__ == "__main__"`` would start its scheduler in each child again.
    """
    _starting.without_main = all(task.function.__module__ != "__main__" for task in registry.all())
    try:
        yield
    finally:
        _starting.without_main = False


def _preparation_data(name: str) -> dict[str, Any]:
    """As ``multiprocessing.spawn`` has it, for the processes of others as well."""
    data = _all_preparation_data(name)
    if getattr(_starting, "without_main", False):
        data.pop("init_main_from_name", None)
        data.pop("init_main_from_path", None)
    return data


_all_preparation_data = multiprocessing.spawn.get_preparation_data
multiprocessing.spawn.get_preparation_data = _preparation_data
