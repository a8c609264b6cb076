"""Stopping the process of a node: by signals, and in the end whatever its tasks have left behind."""

from __future__ import annotations

import _thread
import atexit
import contextlib
import faulthandler
import logging
import os
import signal
import threading

from scheduler.loops import spawn
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

_EXIT_SECONDS = 1.0
"""The time that a stopped process waits for threads that tasks left behind."""


class StopSignals:
    """SIGTERM, SIGINT and SIGHUP: the first one stops the node, a second one at once."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.hurry = threading.Event()

    def catch(self) -> None:
        """First of all, so that a signal during start-up stops the node as well."""
        # A signal that a task makes up is none: it concerns that task, not the node.
        _thread.interrupt_main = _refuse_to_interrupt
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # Under nohup, the end of a terminal is not meant for this process.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._notice)

    def _notice(self, _number: int, _frame: object) -> None:
        if self.stop.is_set():
            self.hurry.set()
        self.stop.set()


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


def _refuse_to_interrupt(signum: int = signal.SIGINT, /) -> None:
    """Stand in for ``_thread.interrupt_main`` in a node."""
    raise RuntimeError(f"A task cannot stop its node: interrupt_main({signum}) was refused.")


def show_threads_when_aborted() -> None:
    """Let a process that its pacemaker aborts print where each of its threads was."""
    with contextlib.suppress(Exception):  # standard error may be no file
        faulthandler.enable()
