from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.utils import Error

from scheduler import conf
from scheduler.errors import InvalidRetention
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand, SafeOutput
from scheduler.services import installation, retention
from scheduler.services.database_errors import explain
from scheduler.services.retention import CleanUp

_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 10.0


class Command(SafeCommand):
    help = (
        "Delete finished runs, ended jobs, changes of jobs and gone nodes that are older than a number of days, a "
        "little at a time. The newest runs and changes of each job stay. Exit code 0: done; 1: the database refused; "
        "2: an argument cannot be used; 130: interrupted, what was deleted until then stays deleted."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        settings = conf.get()
        parser.add_argument(
            "--days",
            metavar="N",
            default=settings.retention_days,
            help=f"Delete what ended longer ago than this (default: {settings.retention_days}).",
        )
        parser.add_argument(
            "--keep",
            metavar="N",
            default=settings.keep_runs_per_job,
            help=f"Newest finished runs of each job that stay (default: {settings.keep_runs_per_job}).",
        )
        parser.add_argument(
            "--output-days",
            metavar="N",
            default=settings.keep_output_days,
            help="Drop results, logs and tracebacks of runs that ended longer ago than this, and keep the runs "
            f"(default: {settings.keep_output_days or 'they stay with their run'}).",
        )
        parser.add_argument(
            "--batch-size",
            metavar="N",
            default=retention.BATCH_SIZE,
            help=f"Most rows in one transaction (default: {retention.BATCH_SIZE}).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Delete nothing, only count.")

    def handle(self, *, dry_run: bool, verbosity: int, **options: Any) -> None:
        progress = Progress(self.stderr, dry_run=dry_run, is_silent=verbosity == 0)
        limits: dict[str, Any] = {
            "older_than_days": _number("days", options["days"]),
            "keep_per_job": _number("keep", options["keep"]),
            "batch_size": _number("batch-size", options["batch_size"]),
        }
        if options["output_days"] is not None:
            limits["output_days"] = _number("output-days", options["output_days"])
        try:
            # Before the database is asked for anything: a wrong number needs none to be found out.
            retention.check(**limits)
        except InvalidRetention as error:
            # It begins with the name of the number: batch_size is “0”; …
            raise CommandError(f"--{str(error).replace('_', '-', 1)}", returncode=2) from None
        health = installation.check()
        if health.error:
            raise CommandError(health.error, returncode=1)
        try:
            done = retention.clean_up(**limits, dry_run=dry_run, progress=progress)
        except Error as error:
            progress.end()
            raise CommandError(explain(error=error), returncode=1) from None
        except KeyboardInterrupt:
            progress.end()
            self.stdout.write(sentence(progress.last, dry_run=dry_run) if progress.last else "Deleted nothing.")
            raise CommandError("Interrupted. Run it again to go on.", returncode=130) from None
        progress.end()
        self.stdout.write(sentence(done, dry_run=dry_run))


class Progress:
    """Tells how far it is: one updating line on a terminal, elsewhere a line now and then."""

    def __init__(self, stream: SafeOutput, *, dry_run: bool, is_silent: bool) -> None:
        self.last: CleanUp | None = None
        self._stream = stream
        self._dry_run = dry_run
        self._is_silent = is_silent
        self._is_terminal = bool(stream.isatty())
        self._told_at = time.monotonic()
        self._has_line = False

    def __call__(self, done: CleanUp) -> None:
        self.last = done
        pause = _TERMINAL_SECONDS if self._is_terminal else _LOG_SECONDS
        now = time.monotonic()
        if self._is_silent or now - self._told_at < pause:
            return
        self._told_at = now
        text = f"{done.runs_seen:,} runs looked at, {done.runs:,} {'to delete' if self._dry_run else 'deleted'}"
        if self._is_terminal:
            self._has_line = True
            self._stream.overwrite(text)
        else:
            printing.note(self._stream, text)

    def end(self) -> None:
        """Leave the line to whoever writes next."""
        if self._has_line:
            self._has_line = False
            self._stream.overwrite("")


def sentence(done: CleanUp, *, dry_run: bool) -> str:
    counts = [_count(done.runs, "run"), _count(done.jobs, "ended job"), _count(done.nodes, "gone node")]
    if done.changes:
        counts.append(_count(done.changes, "change") + " of jobs")
    if done.incidents:
        counts.append(_count(done.incidents, "closed incident"))
    if done.stock_history:
        counts.append(f"{_count(done.stock_history, 'row')} of django_apscheduler's own history")
    what = f"{', '.join(counts[:-1])} and {counts[-1]}"
    said = f"{'Would delete' if dry_run else 'Deleted'} {what} from before {done.cutoff:%Y-%m-%d %H:%M} UTC."
    if not done.outputs:
        return said
    runs = _count(done.outputs, "run")
    if dry_run:
        return f"{said} Would drop the results, logs and tracebacks of {runs}, those to delete included."
    return f"{said} Dropped the results, logs and tracebacks of {runs} that stay."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _number(option: str, value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise CommandError(f"--{option} is “{value}”. It must be a whole number.", returncode=2) from None
