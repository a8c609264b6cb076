"""A child process of the pool, as its parent sees it: it is started, gets runs, answers and is ended."""

from __future__ import annotations

import contextlib
import logging
import math
import multiprocessing
import os
import select
import signal
import struct
import threading
from collections.abc import Callable

from django.conf import settings as django_settings

from scheduler.errors import SchedulerError
from scheduler.execution import child, main_module
from scheduler.store.recording.finishing import Note, Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events
from scheduler.untouched import time

logger = logging.getLogger(__name__)

_spawn = multiprocessing.get_context("spawn")


_LOOK_SECONDS = 1.0
"""Interval between two checks of a silent child."""


_STALL_SECONDS = 5.0
"""A message that stops in its middle for so long is none."""

_READ_BYTES = 2**16
"""Room for the usual answers."""

_MOST_BYTES = 256 * 1024 * 1024
"""More than the longest log, result and traceback take that a setting allows for in practice."""


class ChildDidNotStart(SchedulerError):
    """A child of the process pool ended before it was ready. Does Django start in a fresh process?"""


class ChildDied(SchedulerError):
    """The process of this run ended before the task returned."""


class ChildNeverBegan(ChildDied):
    """The process ended before it took the run up: another one may."""


class ChildTalkedNonsense(SchedulerError):
    """The process of this run wrote something else into its pipe than answers."""


class Child:
    """One child process with a pipe of its own: when it dies, only its own run is concerned."""

    def __init__(self, *, memory_mb: int | None) -> None:
        self.runs = 0
        self._was_killed = False
        self._has_begun = False
        """Whether the task of the last request was called."""

        self._run_id: int | None = None
        self._changing_runs = threading.Lock()
        self._pipe, theirs = _spawn.Pipe()
        module = os.environ.get("DJANGO_SETTINGS_MODULE") or django_settings.SETTINGS_MODULE
        self._process = _spawn.Process(target=child.main, args=(theirs, module, memory_mb), daemon=True)
        with main_module.left_out():
            self._process.start()
        theirs.close()
        self._arrived = bytearray()
        """What was read and belongs to a message that nobody has taken yet."""

        self._readable = select.poll()
        self._readable.register(self._pipe.fileno(), select.POLLIN)

    def await_ready(self) -> None:
        """:raises ChildDidNotStart: with its exit code"""
        try:
            if self._pipe.recv_bytes() == child.READY:
                return
        except (EOFError, OSError):
            pass
        raise ChildDidNotStart(f"{ChildDidNotStart.__doc__} {self._end()}")

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def belongs_to(self, run_id: int | None) -> None:
        """Note the run that the child belongs to from now on, or ``None`` if it is free."""
        with self._changing_runs:
            self._run_id = run_id

    def end_run(self, run_id: int) -> None:
        """End the child if it is still this run's: it may have taken another one up since somebody looked."""
        with self._changing_runs:
            if self._run_id == run_id:
                self.kill()

    def run(
        self,
        run: OwnedRun,
        *,
        node: str,
        timeout: float | None,
        publish: Callable[[Note], None],
        grace_seconds: float = 0.0,
    ) -> Outcome | None:
        """
        Run a body and return its outcome, or ``None`` if the timeout is over and the body goes on.

        When its time is over it is asked to stop, and may go on for ``grace_seconds``.

        :raises ChildNeverBegan: the task was not called
        :raises ChildDied: with its exit code or signal
        """
        self.runs += 1
        self._has_begun = False
        ends_at = None if timeout is None else time.monotonic() + timeout
        try:
            self._pipe.send_bytes(child.encode_request(run, node=node))
            outcome = self._outcome(run, ends_at=ends_at, publish=publish)
            if outcome is None and grace_seconds > 0:
                self._pipe.send_bytes(child.STOP)
                outcome = self._outcome(run, ends_at=time.monotonic() + grace_seconds, publish=publish)
        except (EOFError, OSError) as error:
            raise (ChildDied if self._has_begun else ChildNeverBegan)(self._end()) from error
        return outcome

    def _outcome(self, run: OwnedRun, *, ends_at: float | None, publish: Callable[[Note], None]) -> Outcome | None:
        """Pass on what the body shows until it ends. ``None``: its time is over."""
        while self._has_answer(ends_at=ends_at):
            message = self._receive()
            if message == child.BEGUN:
                self._has_begun = True
                continue
            answer = child.decode_answer(message)
            if answer.run_id != run.id:
                # What a task left behind, a copy of its process or a thread, speaks for a run that is over.
                logger.warning(events.CHILD_ANSWERED_FOR_ANOTHER_RUN, extra={"run": run.id})
            elif isinstance(answer, Outcome):
                return answer
            else:
                publish(answer)
        return None

    def _receive(self) -> bytes:
        """
        Read one message as ``send_bytes`` writes it: its size, and so many bytes.

        A task may write anything into the pipe. Bytes that are not a whole message are rejected.

        :raises EOFError: the pipe is closed
        :raises ChildTalkedNonsense: it is not a message
        """
        (size,) = struct.unpack("!i", self._take(4))
        if not 0 <= size <= _MOST_BYTES:
            raise ChildTalkedNonsense(f"{ChildTalkedNonsense.__doc__} A message of {size} bytes was announced.")
        return self._take(size)

    def _take(self, size: int) -> bytes:
        """Return the next bytes. A read takes all that have arrived: an answer often follows the message before it."""
        while len(self._arrived) < size:
            if not self._has_bytes(_STALL_SECONDS):
                raise ChildTalkedNonsense(f"{ChildTalkedNonsense.__doc__} It stopped in the middle of a message.")
            part = os.read(self._pipe.fileno(), max(_READ_BYTES, min(size - len(self._arrived), 2**20)))
            if not part:
                raise EOFError
            self._arrived += part
        taken = bytes(self._arrived[:size])
        del self._arrived[:size]
        return taken

    def _has_bytes(self, seconds: float) -> bool:
        return bool(self._readable.poll(math.ceil(1000 * seconds)))

    def _has_answer(self, *, ends_at: float | None) -> bool:
        """
        Wait until the child sends something.

        Return false when the time is over. A copy of itself that a dying child leaves behind keeps its pipe open. So
        the process is checked as well.

        :raises EOFError: it is dead
        """
        while True:
            left = math.inf if ends_at is None else max(0.0, ends_at - time.monotonic())
            if self._arrived or self._has_bytes(min(left, _LOOK_SECONDS)):
                return True
            if left <= _LOOK_SECONDS:
                return False
            if not self._process.is_alive() and not self._has_bytes(0):
                raise EOFError

    @property
    def is_alive(self) -> bool:
        # One that was killed may take a moment to die, and must not get another run meanwhile.
        return not self._was_killed and self._process.is_alive()

    def kill(self) -> None:
        """End it and whatever it has started."""
        self._was_killed = True
        if self._process.is_alive():
            self._end_group()
            self._process.kill()

    def _end_group(self) -> None:
        """
        End the processes that its tasks started.

        Call it only while the child lives or has just died, so that its number still is its own.
        """
        if self._process.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pipe, upon which the child ends by itself, and kill it if it does not."""
        with contextlib.suppress(OSError):  # a task in a thread may have closed what the node had open
            self._pipe.close()
        self._process.join(1)
        self.kill()
        self._process.join(1)

    def _end(self) -> str:
        self._end_group()
        self._process.join(1)
        code = self._process.exitcode
        if code is None:
            return "It closed its pipe and went on; it was killed."
        if code < 0:
            return f"The process was ended by signal {-code} ({signal.Signals(-code).name})."
        return f"The process ended with exit code {code}."
