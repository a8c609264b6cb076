"""
Signs of life of a node, in memory that its pacemaker shares.

The node writes them, and the pacemaker, a process of its own, reads them while no thread of the node can run. Each
field has one writer. A field is at most 16 bytes long and written by one copy.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import uuid
from typing import NamedTuple

from scheduler.untouched import time

_PULSE = struct.Struct("<d")
_PROGRESS = struct.Struct("<d")
_NODE = struct.Struct("<16s")
_SEAT = struct.Struct("<QQ")

_PULSE_AT = 0
_PROGRESS_AT = 8
_NODE_AT = 16
_SEATS_AT = 32

FREE = 0
"""The number of the run in a place without one. Runs are numbered from 1."""

ELSEWHERE = 0
"""The number of the thread of a body that runs in another process."""


class Body(NamedTuple):
    """A body that has begun."""

    thread: int
    """As the operating system numbers it, or ``ELSEWHERE``."""

    run: int


class Reading(NamedTuple):
    """The signs at one moment."""

    pulse: float
    """The monotonic clock when a thread of the node last had its turn. 0: the node has not begun."""

    progress: float
    """The monotonic clock when the part of the node that is furthest behind last worked. 0: it is not watched."""

    node: str
    """The id of the node."""

    bodies: tuple[Body, ...]


class Seat:
    """Where one thread of a pool shows the run that it works on."""

    def __init__(self, memory: mmap.mmap, place: int) -> None:
        self.place = place
        self._memory = memory
        self._at = _SEATS_AT + place * _SEAT.size

    def enter(self, run_id: int, *, thread: int = ELSEWHERE) -> None:
        _SEAT.pack_into(self._memory, self._at, thread, run_id)

    def leave(self) -> None:
        _SEAT.pack_into(self._memory, self._at, 0, FREE)


class NoSeat(Seat):
    """For threads that are not watched."""

    def __init__(self) -> None:
        """Have no place."""

    def enter(self, run_id: int, *, thread: int = ELSEWHERE) -> None:
        """Show it to nobody."""

    def leave(self) -> None:
        """Do nothing."""


class VitalSigns:
    """The memory. ``file`` is a descriptor of it."""

    def __init__(self, *, file: int, seats: int) -> None:
        self._file = file
        self._identity = _identity(file)
        self.seats = seats
        self._memory = mmap.mmap(file, size(seats))
        self._changing_seats = threading.Lock()
        self._free = list(reversed(range(seats)))

    @classmethod
    def make(cls, *, seats: int) -> VitalSigns:
        """:raises OSError: the system has no room for it"""
        if hasattr(os, "memfd_create"):
            file = os.memfd_create("scheduler-vital-signs")
        else:
            import tempfile

            with tempfile.TemporaryFile() as opened:
                file = os.dup(opened.fileno())
        os.ftruncate(file, size(seats))
        return cls(file=file, seats=seats)

    def seat(self) -> Seat:
        """Return a place for the caller's thread, which gives it back with ``give_back``."""
        with self._changing_seats:
            return Seat(self._memory, self._free.pop()) if self._free else NoSeat()

    def give_back(self, seat: Seat) -> None:
        if isinstance(seat, NoSeat):
            return
        seat.leave()
        with self._changing_seats:
            self._free.append(seat.place)

    def be(self, node: str) -> None:
        """Note the id of the node."""
        _NODE.pack_into(self._memory, _NODE_AT, uuid.UUID(node).bytes)

    def pulse(self) -> None:
        """Show that threads of this process have their turns."""
        _PULSE.pack_into(self._memory, _PULSE_AT, time.monotonic())

    def progress(self, at: float) -> None:
        _PROGRESS.pack_into(self._memory, _PROGRESS_AT, at)

    def read(self) -> Reading:
        content = self._memory[:]
        seated = (_SEAT.unpack_from(content, _SEATS_AT + place * _SEAT.size) for place in range(self.seats))
        return Reading(
            pulse=_PULSE.unpack_from(content, _PULSE_AT)[0],
            progress=_PROGRESS.unpack_from(content, _PROGRESS_AT)[0],
            node=str(uuid.UUID(bytes=_NODE.unpack_from(content, _NODE_AT)[0])),
            bodies=tuple(Body(thread, run) for thread, run in seated if run != FREE),
        )

    def descriptor(self) -> int:
        """
        Return the descriptor for another process.

        :raises OSError: a task has closed it, and its number may be that of another file by now
        """
        if _identity(self._file) != self._identity:
            raise OSError("A task closed the descriptor of the shared memory.")
        return self._file


def _identity(file: int) -> tuple[int, int]:
    found = os.fstat(file)
    return found.st_dev, found.st_ino


def size(seats: int) -> int:
    return _SEATS_AT + seats * _SEAT.size
