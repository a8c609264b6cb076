"""
The cost limit of a question about triggers, counted in steps instead of time, so that it is the same everywhere.

A step is one search of a trigger inside a combination, one stretch of a zone or one month that is looked at. It takes
some 10 to 20 microseconds. A question (a plan, a preview, saving) has one budget for all of its searches. A budget
inside another one has at most what that has left.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from scheduler.core.triggers import error_messages
from scheduler.errors import InvalidTrigger

SAVE_STEPS = 10_000
"""Whether the triggers of an ``and`` ever agree."""

OUTAGE_STEPS = 2_000
"""The cost limit of the plan after a week's outage when a trigger is saved."""

PLAN_STEPS = 6_000
"""
The cost limit of any plan of the engine: three times as much, so that a saved trigger stays cheap enough in every
season.
"""

PREVIEW_STEPS = 6_000
FIRE_TIME_STEPS = 60
"""For each fire time of a preview besides."""

COUNT_STEPS = 10_000
"""For counting one by one, apart from all others: beyond, the count is an estimate, and triggers are not rejected."""

REQUEST_STEPS = 30_000
"""All that one request asks about a trigger."""


class TooCostly(InvalidTrigger):
    """The trigger takes too long to compute."""

    def __init__(self) -> None:
        super().__init__(
            error_messages.TOO_COSTLY(),
            pointer="/triggers",
            code="too_costly",
        )


class Budget:
    """A context manager: inside it, ``spend`` raises ``TooCostly`` when the steps are spent."""

    __slots__ = ("_outer", "_steps", "_token", "is_apart", "left")

    is_apart: bool
    left: int

    def __init__(self, steps: int, *, is_apart: bool = False) -> None:
        self._outer = None if is_apart else _current.get()
        self.is_apart = is_apart or (self._outer is not None and self._outer.is_apart)
        self._steps = steps if self._outer is None else max(0, min(steps, self._outer.left))
        self._token: Token[Budget | None] | None = None
        self.left = self._steps

    @property
    def used(self) -> int:
        return self._steps - self.left

    def __enter__(self) -> Budget:
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._token is not None  # noqa: S101 - it was entered
        _current.reset(self._token)
        if self._outer is not None:
            self._outer.left -= self.used


_current: ContextVar[Budget | None] = ContextVar("budget", default=None)


def share(part: int) -> Budget:
    """Return a budget of one part in so many of what is left, for what can be done without."""
    outer = _current.get()
    return Budget((PLAN_STEPS if outer is None else outer.left) // part)


def counting() -> Budget:
    """Return the budget for counting: one of its own, or a part of it inside another count."""
    outer = _current.get()
    return Budget(outer.left // 4) if outer is not None and outer.is_apart else Budget(COUNT_STEPS, is_apart=True)


def is_limited() -> bool:
    return _current.get() is not None


def spend(steps: int = 1) -> None:
    """:raises TooCostly: the budget is spent"""
    budget = _current.get()
    if budget is None:
        return
    budget.left -= steps
    if budget.left < 0:
        raise TooCostly
