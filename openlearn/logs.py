"""
The format of log records: one line each, as text or as JSON.

Code logs through ``logging``: the message is the event's dotted name, ``extra`` has its facts. Text shows them as
``key=value``, with colour on a terminal and without in a pipe.
"""

from __future__ import annotations

import os
import re
import sys
from typing import Any

# structlog imports these wherever they are, for traces and contexts that this project does not use: they are a part of
# the start and of the memory of each process.
_UNUSED = [name for name in ("rich", "better_exceptions", "greenlet") if name not in sys.modules]
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
try:
    import structlog
    from structlog.typing import EventDict, Processor, WrappedLogger
finally:
    for _name in _UNUSED:
        del sys.modules[_name]

OWN_ATTRIBUTES = ("color_message", "status_code", "request", "server_time")
"""Attributes that Django and others attach for their own formatters."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def configuration(*, form: str, level: str) -> dict[str, Any]:
    """Return ``settings.LOGGING``. ``form`` is ``text`` or ``json``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _facts(),
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(form)],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            "django.server": {"handlers": [], "level": "INFO", "propagate": True},
            # The tick is ours; what APScheduler says about each of its own steps is noise.
            "apscheduler": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "trafilatura": {"level": "ERROR"},
        },
    }


def _facts() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_own_attributes,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


def _rendering(form: str) -> list[Processor]:
    if form == "json":
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        ]
    return [
        _on_one_line,
        structlog.dev.ConsoleRenderer(
            colors=_may_color(),
            timestamp_key="time",
            pad_event_to=0,
            pad_level=False,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    ]


def _may_color() -> bool:
    """Return whether a person looks at a terminal that shows colour without NO_COLOR (https://no-color.org)."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _on_one_line(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace line ends and control characters by their pictures: what others wrote must not look like a record."""
    return {name: _CONTROL.sub(_picture, value) if isinstance(value, str) else value for name, value in event.items()}


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def _without_own_attributes(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    for attribute in OWN_ATTRIBUTES:
        event.pop(attribute, None)
    return event
