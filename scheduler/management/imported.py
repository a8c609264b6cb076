"""The outcomes of ``jobs import``, and other schedules as a file of declared jobs: ``jobs import-crontab`` and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from textwrap import indent
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import CommandError, CommandParser, OutputWrapper

from scheduler.compat import beat_schedule, crontab_file
from scheduler.compat import cronjobs as django_crontab
from scheduler.management import printing, reading
from scheduler.services.alerts.transfer import Loaded
from scheduler.services.jobs.entries import Imported

_HINT = "# Name this file in SCHEDULER['DECLARATIONS'], then look at “manage.py jobs plan”.\n"

_COLUMNS = ("id", "what", "detail")
_TOGETHER = 1000
"""Lines of a table whose columns are equally wide."""


def add_crontab_arguments(parser: CommandParser) -> None:
    parser.add_argument("file", help="A crontab as “crontab -l” prints it, or “-” for standard input.")
    _add_timezone(parser)


def add_beat_arguments(parser: CommandParser) -> None:
    parser.add_argument("path", metavar="MODULE:NAME", help="A beat_schedule, or a Celery app that has one.")
    _add_timezone(parser)


def add_cronjobs_arguments(parser: CommandParser) -> None:
    _add_timezone(parser)


def _add_timezone(parser: CommandParser) -> None:
    parser.add_argument("--timezone", default=settings.TIME_ZONE, metavar="ZONE", help="Default: TIME_ZONE.")


def crontab(*, file: str, timezone: str, out: OutputWrapper, err: OutputWrapper) -> None:
    """Print the jobs of a crontab as a declarations file, and what is left out on standard error."""
    lines = crontab_file.read(reading.text(file), timezone=timezone)
    jobs = {line.key: line.definition for line in lines if line.definition is not None}
    notes = [f"line {line.number}: {line.text}" for line in lines if line.text]
    commands = sorted({definition["kwargs"]["name"] for definition in jobs.values()})
    if commands:
        notes.append(f"SCHEDULER['ALLOWED_COMMANDS'] must name: {', '.join(commands)}.")
    _print(jobs, notes=notes, is_complete=not any(line.is_refused for line in lines), out=out, err=err)


def beat(*, path: str, timezone: str, out: OutputWrapper, err: OutputWrapper) -> None:
    """Print the jobs of a beat schedule as a declarations file, and what is left out on standard error."""
    entries = beat_schedule.read(beat_schedule.load(path=path), timezone=timezone)
    jobs = {each.key: each.definition for each in entries if each.definition is not None}
    notes = [f"{each.key}: {each.text}" for each in entries if each.text]
    _print(jobs, notes=notes, is_complete=len(jobs) == len(entries), out=out, err=err)


def cronjobs(*, timezone: str, out: OutputWrapper, err: OutputWrapper) -> None:
    """Print the jobs of the setting ``CRONJOBS`` as a declarations file, and what is left out on standard error."""
    given = getattr(settings, "CRONJOBS", None)
    if not given:
        raise CommandError("The settings have no CRONJOBS.", returncode=printing.NOT_ASKED)
    entries = django_crontab.read(given, timezone=timezone)
    jobs = {each.key: each.definition for each in entries if each.definition is not None}
    notes = [f"{each.key}: {each.text}" for each in entries if each.text]
    if modules := django_crontab.modules(given):
        notes.append(f"SCHEDULER['TASK_MODULES'] must list: {', '.join(modules)}. Or put @task above each function.")
    _print(jobs, notes=notes, is_complete=len(jobs) == len(entries), out=out, err=err)


def report(done: Iterable[Imported], *, output: str, out: OutputWrapper) -> bool:
    """Print the outcomes of an import as they come, and return whether a job was refused."""
    refused = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal refused
        for item in done:
            refused += item.what == "refused"
            yield {"id": item.id, "what": item.what, "detail": item.text or None}

    if output == "json":
        _write_json(rows(), out=out)
    else:
        _write_table(rows(), out=out)
    return refused > 0


def _write_json(rows: Iterable[dict[str, Any]], *, out: OutputWrapper) -> None:
    before = "["
    for row in rows:
        out.write(f"{before}\n{indent(printing.as_json(row), '  ')}", ending="")
        before = ","
    out.write("[]" if before == "[" else "\n]")


def _write_table(rows: Iterator[dict[str, Any]], *, out: OutputWrapper) -> None:
    is_first = True
    while (chunk := list(islice(rows, _TOGETHER))) or is_first:
        head, _, lines = printing.table(rows=chunk, columns=_COLUMNS).partition("\n")
        out.write("\n".join(filter(None, (head, lines))) if is_first else lines)
        is_first = False


def note_alerts(loaded: Loaded, *, err: OutputWrapper) -> None:
    """Say what an import of alerts did."""
    counts = f"{loaded.channels} channels, {loaded.rules} rules and {loaded.switches} switches"
    printing.note(err, f"{counts} were created or updated.")
    for name in loaded.without_secrets:
        printing.note(err, f"“{name}” is switched off until its secrets are entered.")


def _print(
    jobs: Mapping[str, Any], *, notes: Iterable[str], is_complete: bool, out: OutputWrapper, err: OutputWrapper
) -> None:
    for note in notes:
        err.write(note)
    out.write(_HINT + yaml.safe_dump({"jobs": dict(jobs)}, allow_unicode=True, sort_keys=False), ending="")
    if not is_complete:
        raise CommandError("Not everything became a job; see above.", returncode=printing.REFUSED)
