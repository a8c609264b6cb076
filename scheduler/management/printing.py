"""The output of commands: data on stdout as a table or JSON, messages on stderr, and exit codes."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from argparse import SUPPRESS, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper
from django.db.utils import Error
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from scheduler.errors import (
    CalendarNotFound,
    ChannelNotFound,
    DatabaseUnavailable,
    IncidentNotFound,
    JobNotFound,
    RuleNotFound,
    RunNotFound,
    SchedulerError,
    SwitchNotFound,
)
from scheduler.logbook import visible
from scheduler.services import installation
from scheduler.services.database_errors import explain

REFUSED = 1
"""It was asked for, and could not be done: the job is broken, the run failed."""

NOT_ASKED = 2
"""It could not be asked: wrong usage, no such job or run, no database."""

INTERRUPTED = 130
"""Ctrl-C, as shells count it."""

MOST_ROWS = 100_000
"""Rows that one command prints at most: they are held in memory."""

_WIDEST = 60
_CONTROL = re.compile("[\x7f-\x9f\ud800-\udfff]")
_WHOLE = ("detail", "text")
"""Columns of sentences: cut, they would not say what to do."""

_NOT_FOUND = (
    CalendarNotFound,
    JobNotFound,
    RunNotFound,
    RuleNotFound,
    ChannelNotFound,
    SwitchNotFound,
    IncidentNotFound,
    DatabaseUnavailable,
)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def words(parser: CommandParser) -> Words:
    """Let a command have words, each with options of its own. Those of Django may stand before and after the word."""
    found = parser.add_subparsers(dest="word", required=True, metavar="WORD")
    return Words(found.add_parser)


class Words:
    """The words of a command."""

    def __init__(self, add: Callable[..., Any]) -> None:
        self._add = add

    def add_parser(self, word: str, *, help: str) -> CommandParser:
        part: CommandParser = self._add(word, help=help)
        for option in ("--settings", "--pythonpath"):
            part.add_argument(option, default=SUPPRESS, help=SUPPRESS)
        for option in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
            part.add_argument(option, action="store_true", default=SUPPRESS, help=SUPPRESS)
        part.add_argument("-v", "--verbosity", type=int, choices=range(4), default=SUPPRESS, help=SUPPRESS)
        return part


def add_output(parser: CommandParser) -> None:
    parser.add_argument("-o", "--output", choices=("table", "json"), default="table", help="Default: table.")
    parser.add_argument("--json", dest="output", action="store_const", const="json", help="The same as -o json.")


def as_json(document: Any) -> str:
    """Write JSON that a terminal can show: control characters are escaped, those above ASCII as well."""
    return _escaped(json.dumps(document, ensure_ascii=False, indent=2))


def json_pieces(members: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Write an object of these members piece by piece. The items of an iterator come one a line, and are not kept."""
    before = "{\n"
    for name, value in members:
        yield f"{before}  {json.dumps(name)}: "
        before = ",\n"
        if not isinstance(value, Iterator):
            yield as_json(value)
            continue
        yield "["
        between = "\n    "
        for item in value:
            yield between + _escaped(json.dumps(item, ensure_ascii=False))
            between = ",\n    "
        yield "\n  ]"
    yield "\n}\n"


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def table(*, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Write rows under a heading, each column as wide as it needs to be."""
    cells = [[column.upper() for column in columns]]
    cells += [[_cell(row.get(column), widest=_width(column)) for column in columns] for row in rows]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def facts(document: dict[str, Any]) -> str:
    """Write an object, a line for each of its members."""
    width = max(len(name) for name in document)
    return "\n".join(f"{name.ljust(width)}  {_cell(value, widest=10_000)}" for name, value in document.items())


class Changes(CommandError):
    """A plan has changes. Django prints the name of the class before the text, which goes on from there."""

    def __init__(self, text: str) -> None:
        super().__init__(text, returncode=2)


def guarded(work: Callable[[], None], *, is_plan: bool = False) -> None:
    """
    Do it, and end with a sentence and an exit code instead of a traceback.

    ``is_plan``: 2 means that there are changes, so 1 means everything else.

    :raises CommandError: with the exit code
    """
    try:
        _guarded(work)
    except Changes:
        raise
    except CommandError as error:
        if is_plan and error.returncode == NOT_ASKED:
            error.returncode = REFUSED
        raise


def _guarded(work: Callable[[], None]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that has no “–” shows a question mark instead of a traceback.
            stream.reconfigure(errors="replace")
    try:
        work()
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough, as “| head” does.
        discard_output()
    except KeyboardInterrupt:
        raise CommandError("Interrupted.", returncode=INTERRUPTED) from None
    except _NOT_FOUND as error:
        raise CommandError(str(error), returncode=NOT_ASKED) from None
    except SchedulerError as error:
        raise CommandError(str(error), returncode=REFUSED) from None
    except Error as error:
        # What is wrong with the installation says more than the statement that found out.
        found = installation.check().error
        text = found or explain(error=error)
        raise CommandError(text, returncode=NOT_ASKED) from None


def discard_output() -> None:
    """Discard all further output. The rest of the buffer cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(stream: OutputWrapper, text: str, *, ending: str | None = None) -> None:
    """Write a message beside the data. Django colours all of stderr as errors, which this is not."""
    stream.write(text, style_func=str, ending=ending)


def json_object(text: str, *, option: str) -> dict[str, Any]:
    """:raises CommandError: it is not a JSON object"""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{option} is not JSON: {error}.", returncode=NOT_ASKED) from None
    if not isinstance(found, dict):
        raise CommandError(f"{option} is not a JSON object.", returncode=NOT_ASKED)
    return found


def span(text: str) -> dict[str, int]:
    """
    Read ``30m`` as the parts of an interval.

    :raises CommandError: it is not a span
    """
    found = re.fullmatch(r"([1-9][0-9]{0,8})([smhdw])", text, re.ASCII)
    if found is None:
        raise CommandError(f"“{text[:64]}” is not a span. Write it as 90s, 30m, 12h, 7d or 2w.", returncode=NOT_ASKED)
    return {{**_UNITS, "w": "weeks"}[found[2]]: int(found[1])}


def whole(*, least: int, most: int = 2**31 - 1) -> Callable[[str], int]:
    """Return what reads a whole number of an option, and refuses one beyond its limits by name."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,19}", text, re.ASCII) else None
        if number is None or not least <= number <= most:
            raise ArgumentTypeError(f"“{text[:64]}” is not a whole number from {least:,} to {most:,}.")
        return number

    return read


def seconds(text: str) -> float:
    """:raises ArgumentTypeError: it is not a number, or too large"""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 1_000_000:
        raise ArgumentTypeError(f"“{text[:64]}” is not a number of seconds from 0 to 1,000,000.")
    return number


def since(text: str) -> datetime:
    """
    Read ``12h``, ``90s``, ``7d``, or an instant. One without an offset is meant in the project's zone.

    :raises ArgumentTypeError: it is neither, or out of range
    """
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    try:
        if found:
            return timezone.now() - timedelta(**{_UNITS[found[2]]: int(found[1])})
        moment = parse_datetime(text if "T" in text or " " in text else f"{text}T00:00")
        if moment is not None:
            return (timezone.make_aware(moment) if timezone.is_naive(moment) else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"“{text[:64]}” is not a time. Write it as 12h, 7d or 2027-03-01T00:00.")


def until(text: str) -> datetime:
    """
    Read how long from now, as ``12h`` or ``7d``, or an instant. One without an offset is in the project's zone.

    :raises ArgumentTypeError: it is neither
    """
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if found:
        try:
            return timezone.now() + timedelta(**{_UNITS[found[2]]: int(found[1])})
        except OverflowError:
            raise ArgumentTypeError(f"“{text[:64]}” is too far away.") from None
    return since(text)


def _width(column: str) -> int:
    return 10_000 if column in _WHOLE else _WIDEST


def _cell(value: Any, *, widest: int = _WIDEST) -> str:
    if value is None:
        text = "–"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, dict | list):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = str(value)
    text = " ".join(visible(text).split())
    return text if len(text) <= widest else f"{text[: widest - 1]}…"


def actor() -> str:
    """Return who works at this shell."""
    try:
        return getpass.getuser()[:150]
    except (OSError, KeyError):
        # A container may run under a number that no user has.
        return "shell"
