"""Tasks that take everything: the interpreter, the memory, the descriptors, the process itself."""

from __future__ import annotations

import _thread
import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from scheduler import task
from scheduler.engine.loop import NodeLoop
from tests.sample_app import effects


def _wait(until: Path) -> None:
    effects.note("begin")
    while not until.exists():
        threading.Event().wait(0.02)


@task(name="greedy.interpreter")
def interpreter(until: Path, gate: Path) -> None:
    """Let no other thread run until somebody opens the other end of a FIFO, and use no processor."""
    _wait(until)
    ctypes.PyDLL(None).open(os.fsencode(gate), os.O_RDONLY)
    effects.note("end")


@task(name="greedy.compute")
def compute(until: Path, over: Path) -> None:
    """The same until a file exists, and use a processor. Looking for the file lets no other thread run either."""
    _wait(until)
    access, path, turn = ctypes.PyDLL(None).access, os.fsencode(over), sys.getswitchinterval()
    sys.setswitchinterval(10_000)
    try:
        while access(path, os.F_OK) != 0:
            sum(range(100_000))
    finally:
        sys.setswitchinterval(turn)
    effects.note("end")


@task(name="greedy.memory")
def memory(until: Path, seconds: float) -> None:
    """Take all memory that the process may have, again and again for so long."""
    _wait(until)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 32 * 1024 * 1024, most))
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        taken: Any = None
        for size in (1024 * 1024, 64 * 1024, 4096, 512, 256, 128, 64, 32, 16, 0):
            with suppress(MemoryError):
                while True:
                    taken = (taken, bytes(size + 1))  # a list would need ever larger pieces to grow


@task(name="greedy.engine")
def engine(until: Path) -> None:
    """Let each pass of the node fail, as without memory."""
    _wait(until)

    def fail(_: Any) -> float:
        raise MemoryError

    NodeLoop.run = fail  # type: ignore[method-assign]
    effects.note("end")


@task(name="greedy.clock")
def clock(until: Path) -> None:
    """Replace functions of modules that everybody uses, as libraries for tests do, and put nothing back."""
    _wait(until)
    effects.note("end")

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("This function was replaced by a task.")

    time.monotonic = time.monotonic_ns = json.loads = json.dumps = fail


@task(name="greedy.descriptors")
def descriptors(until: Path, seconds: float) -> None:
    """Open as many files as the process may have, for so long."""
    _wait(until)
    opened = []
    with suppress(OSError):
        while True:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    time.sleep(seconds)
    for descriptor in opened:
        os.close(descriptor)
    effects.note("end")


@task(name="greedy.close")
def close(until: Path) -> None:
    """Close every file of the process but its outputs."""
    _wait(until)
    os.closerange(3, 4096)
    effects.note("end")


@task(name="greedy.fork")
def fork(until: Path, over: Path) -> None:
    """Leave a copy of the process behind that outlives it, until a file exists or its folder is gone."""
    _wait(until)
    if os.fork() == 0:
        os.setsid()
        while over.parent.exists() and not over.exists():
            time.sleep(0.1)
        os._exit(0)
    effects.note("end")


@task(name="greedy.stop_node")
def stop_node(way: str, signum: int) -> None:
    """Tell the node of this run to stop, as if somebody outside had."""
    ways: dict[str, Callable[[], object]] = {
        "interrupt_main": lambda: _thread.interrupt_main(signum),
        "raise_signal": lambda: signal.raise_signal(signum),
        "kill": lambda: _kill(os.getpid(), signum),
        "kill_all_beside": lambda: _kill(0, signum),
        "killpg": lambda: os.killpg(os.getpgrp(), signum),
        "pthread_kill": lambda: signal.pthread_kill(threading.main_thread().ident or 0, signum),
    }
    ways[way]()


_kill = os.kill
"""Under another name, which was bound before any node began."""
