"""The two clocks of a test, Python's and that of SQL: they stand still together at the instant that a test names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from scheduler.store import test_clock
from scheduler.store.clock import aware

_OTHERS_MOVED = timedelta(minutes=1)
"""Python's clock differs from that of the server by more: another library has moved it."""


class _Clock:
    """Where both clocks stand. ``None``: they go on by themselves."""

    def __init__(self) -> None:
        self.instant: datetime | None = None
        self._travel: Any = None

    def move(self, instant: datetime) -> None:
        travel = _time_machine().travel(instant, tick=False)
        self._stop_travel()
        travel.start()
        self._travel, self.instant = travel, instant
        test_clock.show(instant)

    def reset(self) -> None:
        self._stop_travel()
        self.instant = None
        test_clock.remove()

    def _stop_travel(self) -> None:
        if self._travel is not None:
            self._travel.stop()
            self._travel = None


_clock = _Clock()


def _time_machine() -> Any:
    try:
        import time_machine
    except ImportError as error:
        raise ImportError(
            "advance_to() moves Python's clock with time-machine, which is not installed. "
            'Install it with pip install "openlearn-scheduler[testing]".'
        ) from error
    return time_machine


def advance_to(instant: datetime) -> None:
    """
    Let the clocks of Python and of SQL stand at this instant, until they are moved again or the test ends.

    A ``datetime`` without a zone has the project's ``TIME_ZONE``. The instant may be in the past. Nothing is run:
    call ``run_due`` or ``drain`` afterwards, as a node would find things then, or use ``run_until`` to run everything
    on the way.

    :raises ImportError: time-machine is not installed
    """
    _clock.move(aware(instant).astimezone(UTC))


def advance_by(duration: timedelta) -> None:
    """Move both clocks on by a duration. See ``advance_to``."""
    _clock.move(timezone.now().astimezone(UTC) + duration)


def reset() -> None:
    """Let both clocks go on by themselves. The pytest plugin and ``SchedulerTestMixin`` call it after each test."""
    _clock.reset()


def stands() -> bool:
    """Return whether both clocks stand at an instant."""
    return _clock.instant is not None


def now() -> datetime:
    """Return the time on the clocks of the test."""
    return timezone.now()


def agree() -> None:
    """
    Let SQL have Python's time, also where ``time_machine`` or ``freezegun`` were used to move that.

    Otherwise its ``now()`` is the time of the statement, and not of the begin of the transaction around the test.
    """
    test_clock.show(_clock.instant)
    if _clock.instant is None:
        python = timezone.now()
        if abs(python - test_clock.server_now()) > _OTHERS_MOVED:
            test_clock.show(python)
