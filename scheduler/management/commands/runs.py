from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.core import error_messages
from scheduler.core.reasons import RUN_REASONS
from scheduler.core.states import ACTIVE_STATES, FINISHED_STATES, RunKind, RunState, Via
from scheduler.errors import RunNotFound
from scheduler.logbook import visible
from scheduler.management import many, printing
from scheduler.management.terminal import SafeCommand
from scheduler.models import Run
from scheduler.services import runs
from scheduler.services.bulk import Selection
from scheduler.services.queries import representations, run_queries, text_search
from scheduler.services.queries.run_queries import RunFilter
from scheduler.services.runs import notes

_SEARCHED = (
    f"Arguments and logs were searched in the newest {text_search.MOST_SEARCHED:,} runs at most that match the other "
    "criteria. Use --until to search before them."
)
_LOOK_SECONDS = 0.5
_COLUMNS = ("id", "job", "state", "kind", "attempt", "scheduled_at", "seconds", "error")
_NOTE_COLUMNS = ("created_at", "author", "kind", "text")
_TEXTS = ("job", "name", "task", "executor", "queue", "tag", "error", "argument", "log", "since", "until")
_ACTIONS = {
    "cancel": "Cancel runs.",
    "retry": "Queue another attempt of finished runs.",
    "delete": "Delete finished runs, with their logs.",
}


_NOTES = {
    "note": ("Write a note on a run.", notes.add, "The run {run} has a note more."),
    "take": ("Say that you work on the failure of a run.", notes.take, "You are on the run {run}."),
    "release": ("Say that you do not work on it any more.", notes.release, "The run {run} is released."),
}
"""The words that write a note: help, service, and the answer."""


class Command(SafeCommand):
    help = (
        "List, cancel, retry and delete runs, show their logs, and write notes on them. Exit code 0: done; 1: refused; "
        "2: could not ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)
        found: CommandParser = words.add_parser("list", help="List runs, newest first.")
        printing.add_output(found)
        found.add_argument("--failed", action="store_true", help="Only failed, timed out and interrupted runs.")
        _add_filter(found)
        found.add_argument("--limit", type=printing.whole(least=1, most=printing.MOST_ROWS), default=50, metavar="N")
        log: CommandParser = words.add_parser("log", help="Show what a run has logged.")
        _add_run(log)
        log.add_argument("-f", "--follow", action="store_true", help="Go on until the run ends.")

        for word, help in _ACTIONS.items():
            part: CommandParser = words.add_parser(word, help=f"{help} Those named, or all that the options match.")
            part.add_argument("runs", nargs="*", metavar="RUN", type=printing.whole(least=1, most=2**63 - 1))
            _add_filter(part)
            part.add_argument("--dry-run", action="store_true", help="Count the runs and change none.")
            printing.add_output(part)
        _add_notes(words)

    def handle(self, *, word: str, **options: Any) -> None:
        printing.guarded(lambda: getattr(self, f"_{word}")(**options))

    def _list(self, *, output: str, failed: bool, limit: int, **options: Any) -> None:
        options["state"] = [*options["state"], *(state.value for state in run_queries.UNSUCCESSFUL if failed)]
        filter = _filter(options, or_states=())
        rows = list(run_queries.runs(filter=filter)[: limit + 1])
        shown = representations.runs(rows=rows[:limit])
        if output == "json":
            self.stdout.write(printing.as_json(shown))
        else:
            self.stdout.write(printing.table(rows=shown, columns=_COLUMNS))
        if len(rows) > limit:
            more = f"{limit:,} runs" if limit > 1 else "1 run"
            printing.note(self.stderr, f"More than {more}; narrow the filter or raise --limit.")
        if filter.texts:
            printing.note(self.stderr, _SEARCHED)

    def _cancel(self, **options: Any) -> None:
        self._act("cancel", among=ACTIVE_STATES, **options)

    def _retry(self, **options: Any) -> None:
        self._act("retry", among=run_queries.UNSUCCESSFUL, **options)

    def _delete(self, **options: Any) -> None:
        self._act("delete", among=FINISHED_STATES, **options)

    def _act(
        self, action: str, *, among: Collection[RunState], runs: list[int], dry_run: bool, output: str, **options: Any
    ) -> None:
        selection = _selection(runs, options, among=among)
        if dry_run:
            number = len(selection.ids) if selection.filter is None else _count(selection.filter)
            self._print({"action": action, "total": number}, f"{action}: {number:,} runs.", output)
            return
        row = many.carry_out(subject="runs", action=action, selection=selection, err=self.stderr)
        attempts = _attempts_of(runs) if action == "retry" else []
        for each in attempts if output == "table" else ():
            printing.note(self.stderr, f"The run {each['run']} is tried again as {each['attempt']}.")
        self._print({**many.summary(row), "attempts": attempts}, many.sentence(row), output)
        if row.refused:
            raise CommandError(f"{row.refused:,} of {row.total:,} runs were refused.", returncode=printing.REFUSED)

    def _print(self, document: dict[str, Any], sentence: str, output: str) -> None:
        self.stdout.write(printing.as_json(document) if output == "json" else sentence)

    def _log(self, *, run: int, follow: bool, **_: Any) -> None:
        shown = 0
        never = threading.Event()
        while True:
            found = runs.get(id=run)
            if len(found.log) < shown:
                # A long log loses its middle while it grows: what is at its end is still new.
                shown = 0
                printing.note(self.stderr, "The log was cut in the middle; it begins anew.")
            self.stdout.write(found.log[shown:], ending="")
            self.stdout.flush()
            shown = len(found.log)
            if found.finished_at is not None or not follow:
                break
            never.wait(_LOOK_SECONDS)
        if not shown and not found.traceback:
            printing.note(self.stderr, f"The run {run} has logged nothing.")
        if found.traceback:
            self.stdout.write(found.traceback)
        if follow and found.state not in (RunState.SUCCEEDED, RunState.SKIPPED):
            text = found.error or found.reason or "no reason was given"
            raise CommandError(f"The run {run} {found.state}: {visible(text)}", returncode=printing.REFUSED)

    def _notes(self, *, run: int, output: str, **_: Any) -> None:
        rows = [representations.note(row=row) for row in notes.of(run=runs.get(id=run)).notes]
        if output == "json":
            self.stdout.write(printing.as_json(rows))
        elif rows:
            self.stdout.write(printing.table(rows=rows, columns=_NOTE_COLUMNS))
        else:
            printing.note(self.stderr, f"The run {run} has no notes.")

    def _write_note(self, *, kind: str, run: int, text: str, **_: Any) -> None:
        _help, write, answer = _NOTES[kind]
        write(run=run, text=text, actor=printing.actor(), via=Via.COMMAND)
        self.stdout.write(answer.format(run=run))

    _note = _take = _release = _write_note


def _add_notes(words: printing.Words) -> None:
    shown: CommandParser = words.add_parser("notes", help="Show the newest notes on a run.")
    printing.add_output(shown)
    _add_run(shown)
    for word, (help, _write, _answer) in _NOTES.items():
        part: CommandParser = words.add_parser(word, help=help)
        _add_run(part)
        part.add_argument("text", nargs=None if word == "note" else "?", default="", help="The text of the note.")
        part.set_defaults(kind=word)


def _add_run(parser: CommandParser) -> None:
    parser.add_argument("run", type=printing.whole(least=1, most=2**63 - 1), help="The id of the run.")


def _add_filter(parser: CommandParser) -> None:
    parser.add_argument("--state", action="append", choices=[state.value for state in RunState], default=[])
    parser.add_argument("--kind", action="append", choices=[kind.value for kind in RunKind], default=[])
    parser.add_argument("--reason", action="append", choices=sorted(RUN_REASONS), default=[], metavar="CODE")
    parser.add_argument("--job", default="", help="The id of a job.")
    parser.add_argument("--name", default="", help="Part of the name, the id or the task of the job.")
    parser.add_argument("--task", default="")
    parser.add_argument("--executor", default="")
    parser.add_argument("--queue", default="", help="The name of a queue.")
    parser.add_argument("--tag", default="", help="A tag that the job has now.")
    parser.add_argument("--error", default="", help="Part of the error.")
    parser.add_argument("--argument", default="", help="Part of an argument, or name=value.")
    parser.add_argument("--log", default="", help="Part of the log.")
    parser.add_argument("--since", type=printing.since, metavar="TIME", help="12h, 90s, 7d, or an ISO 8601 time.")
    parser.add_argument("--until", type=printing.since, metavar="TIME")


def _filter(options: dict[str, Any], *, or_states: Collection[RunState]) -> RunFilter:
    """Return what the options select. ``or_states``: the states where none is named."""
    states = {*options["state"], *(() if options["state"] else (state.value for state in or_states))}
    return RunFilter(
        **{name: options[name] for name in _TEXTS},
        states=tuple(sorted(states)),
        kinds=tuple(options["kind"]),
        reasons=tuple(options["reason"]),
    )


def _selection(named: list[int], options: dict[str, Any], *, among: Collection[RunState]) -> Selection:
    """
    Return the runs that were named, or those that match.

    :raises CommandError: both or neither were given, or a run does not exist
    """
    given = _filter(options, or_states=())
    if bool(named) == (given != RunFilter()):
        raise CommandError("Name runs, or say which: --job, --state, --since …", returncode=printing.NOT_ASKED)
    if not named:
        return Selection(filter=_filter(options, or_states=among))
    unknown = sorted(set(named) - set(Run.objects.filter(pk__in=named).values_list("pk", flat=True)))
    if unknown:
        raise RunNotFound(error_messages.NO_SUCH_RUN(id=f"{unknown[0]}"))
    return Selection(ids=tuple(named))


def _count(filter: Any) -> int:
    return int(run_queries.runs(filter=filter).count())


def _attempts_of(runs: list[int]) -> list[dict[str, Any]]:
    found = Run.objects.filter(previous__in=runs).order_by("pk").values_list("previous", "pk")
    return [{"run": run, "attempt": attempt} for run, attempt in dict(found).items()]
