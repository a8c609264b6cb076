"""Keeping what a task logs with its run."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from scheduler import conf, context
from scheduler.execution.values import message_of
from scheduler.logbook import Logbook
from scheduler.untouched import time


class RunLogHandler(logging.Handler):
    """
    Writes the records of code that belongs to a run into the run's logbook, and passes by all others.

    Without the lock that handlers have: logbooks have their own. Otherwise one slow run would hold up every thread that
    logs anything, the recorder's and the heartbeat among them.
    """

    def handle(self, record: logging.LogRecord) -> bool | logging.LogRecord:  # type: ignore[override]
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        run = context.running()
        if run is None:
            return
        try:
            text = record.getMessage()
            if record.exc_info:
                text = f"{text}\n{_formatter.formatException(record.exc_info)}"
        except Exception:  # noqa: BLE001 - a record whose arguments do not fit must not fail the task that logged it
            text = message_of(record.msg)
        write(run, level=record.levelname, source=record.name, text=text, at=record.created)


_formatter = logging.Formatter()


def write(run: context.CurrentRun, *, level: str, source: str, text: str, at: float) -> None:
    """Add one entry to the logbook of a run: time in UTC, level, where it comes from, text."""
    if run.logbook is None:
        run.logbook = Logbook(limit=conf.get().max_log_bytes, secrets=run.secrets)
    clock = time.strftime("%H:%M:%S", time.gmtime(at))
    run.logbook.write(f"{clock}.{int(at % 1 * 1000):03d} {level:<7} {source}: {text}")
    run.publish()


def install(*, level: str, is_child: bool = False) -> None:
    """
    Keep what tasks log from this level on, once.

    The root logger passes on what it passed by before: to the runs, and to no handler that the project has. Loggers
    with a level of their own keep it.
    """
    if _is_installed():
        return
    root = logging.getLogger()
    if not root.handlers and logging.lastResort is not None and not is_child:
        # Python prints warnings only while there is no handler; in a child they are in the run's log.
        root.addHandler(logging.lastResort)
    _listen(level=level)


@contextmanager
def kept(*, level: str) -> Iterator[None]:
    """Keep what tasks log within this block, and leave logging as it was."""
    if _is_installed():
        yield
        return
    root = logging.getLogger()
    former, handler, hushed = _listen(level=level)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(former)
        for other, as_before in hushed:
            other.removeFilter(as_before)


def _is_installed() -> bool:
    return any(isinstance(handler, RunLogHandler) for handler in logging.getLogger().handlers)


def _listen(*, level: str) -> tuple[int, RunLogHandler, list[tuple[logging.Handler, _AsBefore]]]:
    """Add the handler. Return the former level of the root logger, the handler, and the filters of other handlers."""
    root = logging.getLogger()
    wanted, former = logging.getLevelName(level), root.level
    hushed: list[tuple[logging.Handler, _AsBefore]] = []
    if wanted < former:
        hushed = [(other, _AsBefore(former)) for other in _all_handlers()]
        for other, as_before in hushed:
            other.addFilter(as_before)
        root.setLevel(wanted)
    handler = RunLogHandler()
    root.addHandler(handler)
    return former, handler, hushed


def _all_handlers() -> set[logging.Handler]:
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    return {handler for logger in loggers if isinstance(logger, logging.Logger) for handler in logger.handlers}


class _AsBefore(logging.Filter):
    """Stops the records that only a root logger with a lower level lets through."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self._has_level: dict[str, bool] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= self._level or self._has_level_of_its_own(record.name)

    def _has_level_of_its_own(self, name: str) -> bool:
        if name not in self._has_level:
            logger: logging.Logger | None = logging.getLogger(name)
            while logger is not None and logger.parent is not None and not logger.level:
                logger = logger.parent
            self._has_level[name] = logger is not None and logger.parent is not None
        return self._has_level[name]


class PrintedLines(io.TextIOBase):
    """Stands in for ``sys.stdout`` in a child process: whole lines go into the logbook of the current run."""

    def __init__(self, *, name: str, original: TextIO) -> None:
        self._name = name
        self._original = original
        self._rest = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._original.encoding

    @property
    def buffer(self) -> BinaryIO:
        """The node's own output, for bytes, which are not part of the run's log."""
        return self._original.buffer

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        run = context.running()
        if run is None:
            return self._original.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            write(run, level="PRINT", source=self._name, text=line, at=time.time())
        return len(text)

    def finish(self) -> None:
        """Write what was printed without an end of line."""
        run = context.running()
        if run is not None and self._rest:
            write(run, level="PRINT", source=self._name, text=self._rest, at=time.time())
        self._rest = ""

    def flush(self) -> None:
        self._original.flush()

    def fileno(self) -> int:
        return self._original.fileno()
