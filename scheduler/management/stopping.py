"""Stopping the process of a node: by signals, and in the end whatever its tasks have left behind."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
from typing import Any

from scheduler.loops import spawn
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_EXIT_SECONDS = 1.0
"""The time that a stopped process waits for threads that tasks left behind."""

_STOPPING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

_SENDING = frozenset({"os.kill", "os.killpg", "signal.pthread_kill"})
"""What Python's audit calls the ways to send a signal."""


class StopSignals:
    """SIGTERM, SIGINT and SIGHUP: the first one stops the node, a second one at once."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hurry = threading.Event()

    def catch(self) -> None:
        """First of all, so that a signal during start-up stops the node as well."""
        refuse_signals_from_inside()
        for number in sorted(_STOPPING):
            # Under nohup, the end of a terminal is not meant for this process.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._notice)

    def _notice(self, _number: int, _frame: object) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()


def refuse_signals_from_inside() -> None:
    """
    From now on, this process refuses signals to stop that come from itself. It is stopped from outside.

    A body of a task, or a library on its behalf, gets an exception, and its run fails. The ways that Python audits are
    refused under any name. The other two are replaced, so that a module keeps those that it imported by name before.
    """
    _thread.interrupt_main = _interrupt_main
    if signal.raise_signal is not _raise_signal:
        signal.raise_signal = _raise_signal
        sys.addaudithook(_audit)


def _interrupt_main(signum: int = signal.SIGINT, /) -> None:
    """Stand in for ``_thread.interrupt_main``."""
    _refuse(signum)


_raise = signal.raise_signal


def _raise_signal(signum: int, /) -> None:
    """Stand in for ``signal.raise_signal``."""
    if signum in _STOPPING:
        _refuse(signum)
    _raise(signum)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _SENDING and arguments[1] in _STOPPING and _is_meant(event, arguments[0]):
        _refuse(arguments[1])


def _is_meant(event: str, target: int) -> bool:
    """Return whether a signal would reach this process."""
    if event == "signal.pthread_kill":
        return True
    if event == "os.killpg":
        return target in (0, os.getpgrp())
    return target in (os.getpid(), 0, -1, -os.getpgrp())


def _refuse(signum: int) -> None:
    raise RuntimeError(f"A task cannot stop its node: {signal.Signals(signum).name} was refused.")


def end_process_soon() -> None:
    """End the process once the main thread has ended, whatever its tasks left behind."""
    is_ending = threading.Event()
    atexit.register(is_ending.set)  # called once Python waits for no thread any more
    spawn(_leave, args=(is_ending,), name="scheduler-exit")


def _leave(is_ending: threading.Event) -> None:
    """
    End the process if it does not end by itself: Python waits for every thread pool that a task has left open.

    All is recorded and given back by now, and an orchestrator would only lose its patience.
    """
    if is_ending.wait(_EXIT_SECONDS):
        return
    left = sorted({thread.name for thread in threading.enumerate()} - {"MainThread", "scheduler-exit"})
    logger.warning(events.NODE_LEFT_THREADS_BEHIND, extra={"threads": left})
    atexit._run_exitfuncs()
    os._exit(0)


def show_threads_when_aborted() -> None:
    """Let a process that its pacemaker aborts print where each of its threads was."""
    with contextlib.suppress(Exception):  # standard error may be no file
        faulthandler.enable()
