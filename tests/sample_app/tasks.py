"""Tasks that do what tests need: succeed, fail, wait, crash."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from scheduler import task
from tests.sample_app import database, django_tasks, effects, governed, greedy, limited

__all__ = ["database", "django_tasks", "governed", "greedy", "limited"]


@task(name="sample.nothing")
def nothing() -> None:
    """Do nothing."""


@task(name="sample.square")
def square(number: int) -> dict[str, int]:
    """Return the square and the process that computed it."""
    return {"square": number * number, "pid": os.getpid()}


@task(name="sample.fail")
def fail(message: str) -> None:
    """Raise."""
    raise ValueError(message)


@task(name="sample.leave")
def leave(code: int) -> None:
    """End the interpreter the polite way."""
    raise SystemExit(code)


@task(name="sample.exit")
def exit(code: int) -> None:
    """End the process at once."""
    os._exit(code)


@task(name="sample.crash")
def crash(number: int) -> None:
    """End the process by a signal."""
    os.kill(os.getpid(), number)
    signal.pause()


@task(name="sample.record")
def record() -> None:
    """Leave a trace in the effects file."""
    effects.note("begin")
    effects.note("end")


@task(name="sample.hold")
def hold(until: Path) -> None:
    """Leave a trace, wait until a file exists, leave a trace."""
    effects.note("begin")
    while not until.exists():
        threading.Event().wait(0.02)
    effects.note("end")


@task(name="sample.wait")
def wait(until: Path) -> None:
    """Wait until a file exists."""
    while not until.exists():
        threading.Event().wait(0.02)


@task(name="sample.give")
def give(value: Any) -> Any:
    """Return the argument."""
    return value


@task(name="sample.fork_and_return")
def fork_and_return() -> None:
    """Return twice: in this process and in a copy of it."""
    os.fork()


@task(name="sample.fork_and_crash")
def fork_and_crash(pid: Path) -> None:
    """Leave a copy of this process behind, and end by a signal."""
    copy = os.fork()
    if copy == 0:
        signal.pause()
    pid.write_text(str(copy))
    os.kill(os.getpid(), signal.SIGKILL)


@task(name="sample.close_outputs")
def close_outputs() -> None:
    """Leave outputs behind that nobody can print to."""
    sys.stdout = sys.stderr = io.StringIO()
    sys.stdout.close()


@task(name="sample.print")
def print_text(text: str) -> None:
    """Print a text, and then as bytes."""
    print(text)
    sys.stdout.buffer.write(text.encode(sys.stdout.encoding))


@task(name="sample.leave_a_thread")
def leave_a_thread(until: Path) -> None:
    """Leave a thread pool open that Python waits for when it ends."""
    effects.note("begin")
    ThreadPoolExecutor(1).submit(wait, until)


@task(name="sample.chatter")
def chatter() -> None:
    """Print for ever."""
    effects.note("begin")
    while True:
        print("…")


@task(name="sample.garble")
def garble(text: str) -> str:
    """Write something into every file that this process has open, its pipe included."""
    for number in range(3, 64):
        with suppress(OSError):
            os.write(number, text.encode())
    return "garbled"
