from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

_PR_SET_PDEATHSIG = 1

_LOCK = "quickstart.lock"
"""Locked by the one quickstart of a folder. It holds the address where that one serves."""

STOP_TIMEOUT_SECONDS = 40.0
"""Longer than a node's own grace period, so that it ends by itself."""


class Child:
    """A process of ours with its output in a file. A Ctrl-C in the terminal reaches only its parent."""

    def __init__(
        self,
        *,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        inherited: Sequence[int] = (),
    ) -> None:
        """``inherited``: descriptors of ours that it gets as well."""
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._start_of_log = output.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
                pass_fds=inherited,
                preexec_fn=_ending_with(os.getpid()),
            )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def ask_to_stop(self) -> None:
        if not self.has_ended:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, *, deadline: float) -> bool:
        """Wait until ``time.monotonic()`` is past the deadline, then kill it. Returns whether it ended by itself."""
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            return False
        return True

    def last_lines(self, *, lines: int = 15) -> str:
        """Return the end of what it wrote since it was started."""
        with self.log.open("rb") as output:
            output.seek(self._start_of_log)
            written = output.read().decode(errors="replace")
        return "\n".join(written.rstrip().splitlines()[-lines:])


def _ending_with(parent: int) -> Callable[[], None] | None:
    """
    Return what lets a new process end when this one does, however it ends. Only Linux can do that.

    Else a quickstart that was killed would leave a web and a node behind, which go on with the settings of before.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # before the fork: loading a library takes locks

    def end_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(0)  # it has ended in this very moment

    return end_with_parent


def stop(children: Sequence[Child]) -> tuple[str, ...]:
    """Ask all to stop, then wait for each. Returns the names of those that had to be killed."""
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    for child in children:
        child.ask_to_stop()
    return tuple(child.name for child in children if not child.wait(deadline=deadline))


def lock_folder(folder: Path) -> bool:
    """
    Lock the folder for this process until it ends. ``False``: another process has it.

    Two quickstarts would move the jobs of the sample site to and fro between their addresses.

    :raises OSError: the folder cannot be written
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Never closed: the kernel gives the lock back with the process. Children do not inherit it.
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    os.truncate(lock, 0)
    return True


def note_address(folder: Path, address: str) -> None:
    """Write down where this process serves. The folder is locked."""
    (folder / _LOCK).write_text(address)


def noted_address(folder: Path) -> str:
    """Return where the process that has locked the folder serves, or an empty string while it chooses a port."""
    return (folder / _LOCK).read_text().strip()


class StopSignals:
    """
    Ctrl-C, a closed terminal and ``kill`` request an orderly stop without an interrupt.

    They stay caught until the process is gone: a second Ctrl-C must not tear what is being stopped.
    """

    def __init__(self) -> None:
        self.received = False

    def catch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)
        # Under nohup a closed terminal is meant to be survived.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True
