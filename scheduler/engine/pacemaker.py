"""
The pacemaker as its node sees it: a process of its own that watches this one, and beats while no thread of it can.

A body in a thread may keep the interpreter to itself: a catastrophic regular expression, a huge power, a sort of many
items. Then no thread of the node has its turn, the heartbeat's included, while the process lives. ``stand_in`` is what
the other process does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable

from django.conf import settings as django_settings

from scheduler.conf import SchedulerSettings
from scheduler.engine.heartbeat import Identity
from scheduler.execution.pools import Pool
from scheduler.execution.vital_signs import VitalSigns
from scheduler.loops import Loop, Periodic
from scheduler.telemetry import events
from scheduler.untouched import json, time

logger = logging.getLogger(__name__)

PULSE_SECONDS = 0.2

_START_AGAIN_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 600.0
"""A pacemaker that ends is started again after so many seconds, twice as many each time, and this at most."""

_PROGRAM = """
import json, sys
given = json.loads(sys.argv[1])
sys.path[:] = given.pop("path")
from scheduler.engine.stand_in import main
main(**given)
"""


def stall_seconds(settings: SchedulerSettings) -> float:
    """Return for how long an interpreter stands still before its pacemaker steps in, well before the lease ends."""
    return min(2.0, settings.lease_seconds / 2)


class Pacemaker(Periodic):
    """
    The thread that shows the vital signs of this process and keeps the other process running.

    ``stalled`` is called once the interpreter goes on after it stood still. ``vital`` are the threads without which the
    node does no work. With ``ends_process`` this process is ended when it can do none for too long.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        settings: SchedulerSettings,
        pools: Iterable[Pool],
        vital: Iterable[Loop],
        stalled: Callable[[], None],
        ends_process: bool,
    ) -> None:
        super().__init__(name="scheduler-pulse", fault=events.PACEMAKER_FAILED, seconds=PULSE_SECONDS)
        self._identity = identity
        self._settings = settings
        self._pools = tuple(pools)
        self._vital = tuple(vital)
        self._stalled = stalled
        self._ends_process = ends_process
        self._signs: VitalSigns | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._start_at = 0.0
        self._pause = _START_AGAIN_SECONDS
        self._pulsed_at = time.monotonic()

    def start(self) -> None:
        """Start before the pools, so that they show their runs. Without a pacemaker a node works all the same."""
        if not self._settings.pacemaker or os.name != "posix" or not _settings_module():
            return
        seats = sum(pool.size for pool in self._pools) + self._settings.max_stuck_threads
        try:
            self._signs = VitalSigns.make(seats=seats)
        except OSError as error:
            logger.warning(events.PACEMAKER_FAILED, extra={"error": str(error)})
            return
        for pool in self._pools:
            pool.signs = self._signs
        super().start()

    def do(self) -> None:
        assert self._signs is not None  # noqa: S101 - made before the thread
        self._signs.be(self._identity.node)
        self._signs.pulse()
        now = time.monotonic()
        late, self._pulsed_at = now - self._pulsed_at, now
        if late >= stall_seconds(self._settings):
            self._stalled()
        self._signs.progress(now - max((part.silent_seconds(now) for part in self._vital), default=0.0))
        if not self._is_running() and now >= self._start_at:
            self._start_at, self._pause = now + self._pause, min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
            self._begin(self._signs)

    def watch(self, part: Loop) -> None:
        """Count one more thread among those without which the node does no work."""
        self._vital = (*self._vital, part)

    def rest(self) -> None:
        """From now on the node may do nothing: it stops."""
        self._vital = ()

    def stop(self, *, timeout: float | None = 5.0) -> bool:
        has_ended = super().stop(timeout=timeout)
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):  # it may have been ended by somebody
                process.kill()
            process.wait()
        return has_ended

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _begin(self, signs: VitalSigns) -> None:
        if self._process is not None:
            logger.warning(events.PACEMAKER_ENDED, extra={"code": self._process.returncode})
        given = {
            "path": sys.path,
            "parent": os.getpid(),
            "seats": signs.seats,
            "heartbeat_seconds": self._settings.heartbeat_seconds,
            "stall_seconds": stall_seconds(self._settings),
            "limit_seconds": _limit_seconds(self._settings),
            "ends_process": self._ends_process,
        }
        file = signs.descriptor()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", _PROGRAM, json.dumps({**given, "file": file})],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": _settings_module()},
            pass_fds=(file,),
            start_new_session=True,  # signals to the group of this process are not meant for it
        )


def _settings_module() -> str:
    """Return the module that another process finds the settings in. Empty: they were made in this one."""
    return os.environ.get("DJANGO_SETTINGS_MODULE") or getattr(django_settings, "SETTINGS_MODULE", None) or ""


def _limit_seconds(settings: SchedulerSettings) -> float | None:
    """Return how long a node may stand still, as it does while it sleeps or waits for the database."""
    if settings.stall_limit_seconds is None:
        return None
    return settings.stall_limit_seconds + settings.poll_seconds + settings.answer_timeout_seconds
