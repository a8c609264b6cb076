"""The parts that a task of another framework needs around its body, e.g. one of ``django.tasks``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol


class EndedRun(NamedTuple):
    """An enqueued run that has ended, by its body or without it."""

    id: int
    task: str
    result_id: str


class Adapter(Protocol):
    """
    Calls a task as its framework does. Its functions get JSON values: annotations are the contract for people who fill
    in a form, and do not convert values.
    """

    @property
    def takes_context(self) -> bool:
        """Return whether the function gets an argument before all others that no job gives."""

    @property
    def source(self) -> object:
        """The object that the framework made of the function."""

    def call(
        self, function: Callable[..., Any], *, run: Any, node: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any:
        """Call the function in the thread or process of the run. An exception is the outcome. ``run``: an OwnedRun"""

    def result(self, value: Any) -> Any:
        """Return a result as the framework keeps it. An exception is the outcome."""

    def ended(self, *, runs: Sequence[EndedRun]) -> None:
        """Enqueued runs have ended and are recorded. Exceptions of its receivers are logged and raised no further."""
