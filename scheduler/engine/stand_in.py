"""
The pacemaker: watches a node from a process of its own, and beats for it while its interpreter stands still.

A node that cannot report that it is alive is not dead as long as its process lives. So its runs stay its own. Runs that
have not begun there go back to the queue, and the log and the node's row name the run that keeps the interpreter to
itself. A process that is stopped (SIGSTOP) or gone gets no such help: other nodes take its work over.

A node that stands still for too long, or whose threads cannot work any more, is ended, so that whoever runs it can
start it again.

It starts beside each node, often in front of a pile of work, and so it imports little before it has to step in.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

from scheduler.execution.vital_signs import ELSEWHERE, Body, Reading, VitalSigns

_LOOK_SECONDS = 0.2

_FROZEN_SECONDS = 1.0
"""A look that comes so much too late shows that this process stood still itself, and not that the other one did."""

_DYING_SECONDS = 10.0
"""A process that was aborted and still lives after this is killed."""

_LEAST_SHARE = 0.05
"""A thread that used less of a processor while the interpreter stood still waits for something."""

_BUSY_SHARE = 0.5
"""A thread that used so much of what the busiest one got is what keeps it: others may use the processors too."""


class Limits(NamedTuple):
    """When the pacemaker does something."""

    heartbeat_seconds: float
    stall_seconds: float
    """Without a turn for the node's threads: its pacemaker beats."""

    limit_seconds: float | None
    """Without a turn, or without work of its threads: the node is given up. ``None``: never."""


class Watched:
    """The process of the node, as the operating system sees it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    @property
    def is_there(self) -> bool:
        return os.getppid() == self.pid

    @property
    def is_stopped(self) -> bool:
        """Return whether somebody has stopped it. Where the system does not tell, it is taken to be running."""
        return self._fields("stat")[:1] in (["T"], ["t"])

    def processor_seconds(self, thread: int) -> float:
        """Return how long a thread has used a processor."""
        fields = self._fields(f"task/{thread}/stat")
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if len(fields) > 12 else 0.0

    def end(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, number)

    def _fields(self, name: str) -> list[str]:
        """Return the fields of a file of ``/proc`` behind the name of the program, the state first."""
        try:
            with open(f"/proc/{self.pid}/{name}", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            return []
        return text.rpartition(")")[2].split()


class Suspects:
    """Finds the bodies that keep the interpreter to themselves, by the processor that their threads use."""

    def __init__(self, watched: Watched, bodies: tuple[Body, ...]) -> None:
        self._watched = watched
        self._bodies = tuple(body for body in bodies if body.thread != ELSEWHERE)
        self._before = self._used()
        self._since = time.monotonic()

    def runs(self) -> tuple[int, ...]:
        """Return their runs, or all that it may be where no thread uses a processor."""
        elapsed = time.monotonic() - self._since
        used = [after - before for before, after in zip(self._before, self._used(), strict=True)]
        busy = max(_LEAST_SHARE * elapsed, _BUSY_SHARE * max(used, default=0.0))
        found = {body.run for body, seconds in zip(self._bodies, used, strict=True) if seconds >= busy}
        return tuple(sorted(found or {body.run for body in self._bodies}))

    def _used(self) -> list[float]:
        return [self._watched.processor_seconds(body.thread) for body in self._bodies]


class StandIn:
    """
    Looks at a node a few times a second.

    With ``ends_process`` a node that is given up is ended. Otherwise it is left to the others, as a dead one is.
    """

    def __init__(
        self,
        *,
        signs: VitalSigns,
        watched: Watched,
        deputy: Callable[[], Deputy],
        limits: Limits,
        ends_process: bool,
    ) -> None:
        self._signs = signs
        self._watched = watched
        self._deputy = deputy
        self._limits = limits
        self._ends_process = ends_process
        self._looked_at = time.monotonic()
        self._pulse = 0.0
        self._pulsed_at = self._looked_at
        """When the pulse was last seen to change."""

        self._beat_at = 0.0
        self._suspects: Suspects | None = None
        self._is_standing_in = False
        self._is_given_up = False
        self._failures = 0

    def run(self) -> None:
        """Watch until the node's process is gone."""
        while self._watched.is_there:
            self.look()
            time.sleep(_LOOK_SECONDS)

    def look(self) -> None:
        now = time.monotonic()
        reading = self._signs.read()
        was_frozen = now - self._looked_at > _FROZEN_SECONDS
        self._looked_at = now
        if not reading.pulse:
            return
        has_turn = reading.pulse != self._pulse
        if has_turn or was_frozen or self._watched.is_stopped:
            self._pulse, self._pulsed_at = reading.pulse, now
            self._goes_on(reading)
            if has_turn and not was_frozen:
                self._judge_progress(reading, now)
            return
        still = now - self._pulsed_at
        if still >= self._limits.stall_seconds / 2 and self._suspects is None:
            self._suspects = Suspects(self._watched, reading.bodies)
        if still >= self._limits.stall_seconds:
            self._stands_still(reading, now)
        if self._limits.limit_seconds is not None and still >= self._limits.limit_seconds:
            self._give_up(reading, still)

    def _stands_still(self, reading: Reading, now: float) -> None:
        assert self._suspects is not None  # noqa: S101 - they were looked for at half that time
        if not self._is_standing_in:
            self._is_standing_in = True
            runs = self._suspects.runs()
            self._speak(lambda deputy: deputy.step_in(reading, runs=runs))
            self._beat_at = now
        elif now - self._beat_at >= self._limits.heartbeat_seconds and not self._is_given_up:
            self._beat_at = now
            self._speak(lambda deputy: deputy.beat(reading))

    def _goes_on(self, reading: Reading) -> None:
        self._suspects = None
        if self._is_standing_in:
            self._is_standing_in = self._is_given_up = False
            self._speak(lambda deputy: deputy.step_back(reading))

    def _judge_progress(self, reading: Reading, now: float) -> None:
        """End a node whose threads have their turns and fail each time, as without memory, or wait for each other."""
        limit = self._limits.limit_seconds
        is_late = limit is not None and bool(reading.progress) and now - reading.progress >= limit
        self._failures = self._failures + 1 if is_late else 0
        if self._failures * _LOOK_SECONDS >= 1:
            self._give_up(reading, now - reading.progress)

    def _speak(self, do: Callable[[Deputy], None]) -> None:
        """Let the deputy do something. Its imports may take a second, and do not count as time that was frozen."""
        try:
            do(self._deputy())
        except Exception:  # noqa: BLE001 - it must go on watching, whatever it was
            import traceback

            traceback.print_exc()
        self._looked_at = time.monotonic()

    def _give_up(self, reading: Reading, seconds: float) -> None:
        if self._is_given_up:
            return
        self._is_given_up = True
        self._speak(lambda deputy: deputy.give_up(reading, seconds=seconds))
        if self._ends_process:
            self._watched.end(signal.SIGABRT)
            time.sleep(_DYING_SECONDS)
            self._watched.end(signal.SIGKILL)
            self._looked_at = time.monotonic()


class Deputy(Protocol):
    """The writes of a node to the database."""

    def step_in(self, reading: Reading, *, runs: Sequence[int]) -> None:
        """Log what keeps the interpreter, beat, and give back what has not begun."""

    def beat(self, reading: Reading) -> None: ...

    def step_back(self, reading: Reading) -> None:
        """The node beats by itself again."""

    def give_up(self, reading: Reading, *, seconds: float) -> None: ...


@cache
def database_deputy() -> Deputy:
    """
    Set Django up, which takes a second and as much memory as the node itself, once it is needed.

    A project that starts a scheduler while it is imported must not do so here.
    """
    import multiprocessing

    process: Any = multiprocessing.current_process()
    process._inheriting = True
    try:
        import django

        django.setup()
        from scheduler.engine.deputy import DatabaseDeputy
    finally:
        del process._inheriting
    return DatabaseDeputy()


def main(
    *,
    file: int,
    seats: int,
    parent: int,
    ends_process: bool,
    heartbeat_seconds: float,
    stall_seconds: float,
    limit_seconds: float | None,
) -> None:
    """Watch the process ``parent``, which shows its vital signs in the memory behind ``file``."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a node that stops still needs it: it ends with the node
    StandIn(
        signs=VitalSigns(file=file, seats=seats),
        watched=Watched(parent),
        deputy=database_deputy,
        ends_process=ends_process,
        limits=Limits(heartbeat_seconds=heartbeat_seconds, stall_seconds=stall_seconds, limit_seconds=limit_seconds),
    ).run()
