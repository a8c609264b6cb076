"""The log output of a node in a project whose LOGGING hides it, or shows only the names of events."""

from __future__ import annotations

import json
import logging
from typing import Any

from scheduler.logbook import visible

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has."""


class WithFacts(logging.Formatter):
    """Writes a record as the project's formatter does, and the facts of our events behind it."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self._formatter = formatter

    def format(self, record: logging.LogRecord) -> str:
        text = self._formatter.format(record)
        if record.name.partition(".")[0] not in ("scheduler", "task"):
            return text
        first, newline, rest = text.partition("\n")
        return " ".join([first, *facts(record)]) + newline + rest


def facts(record: logging.LogRecord) -> list[str]:
    """Return the ``extra`` of a record as ``name=value``. Values with blanks are quoted."""
    found = {name: value for name, value in vars(record).items() if name not in _OWN}
    return [f"{name}={_value(value)}" for name, value in found.items()]


def _value(value: Any) -> str:
    text = visible(str(value)).replace("\n", "␊")
    return text if text and not set(text) & set(' "=\t') else json.dumps(text, ensure_ascii=False)


def ensure() -> bool:
    """
    Let the events of a node be seen, and return whether LOGGING alone would hide them.

    Without any handler they go to stderr. Where the project has handlers, its levels count, and plain formatters get
    the values of each event, which are not in its message.
    """
    handlers = _handlers_of(logging.getLogger("scheduler"))
    for handler in handlers:
        if handler.formatter is None or type(handler.formatter) is logging.Formatter:
            handler.setFormatter(WithFacts(handler.formatter or logging.Formatter()))
    if handlers:
        return False
    handler = logging.StreamHandler()
    handler.setFormatter(WithFacts(logging.Formatter("%(asctime)s %(levelname)s %(message)s")))
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or record.name.startswith("scheduler."))
    logging.getLogger().addHandler(handler)
    logging.getLogger("scheduler").setLevel(logging.INFO)
    return True


def _handlers_of(logger: logging.Logger | None) -> list[logging.Handler]:
    found: list[logging.Handler] = []
    while logger is not None:
        found += logger.handlers
        logger = logger.parent if logger.propagate else None
    return found
