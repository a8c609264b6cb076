from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from scheduler.core.reasons import RUN_REASONS
from scheduler.core.states import RunState, Via
from scheduler.errors import SchedulerError
from scheduler.logbook import visible
from scheduler.management import printing
from scheduler.models import Run
from scheduler.services import bulk, runs
from scheduler.services.bulk import Selection
from scheduler.services.queries import representations, run_queries, text_search
from scheduler.services.queries.run_queries import RunFilter

_SEARCHED = (
    f"Arguments and logs were searched in the newest {text_search.MOST_SEARCHED:,} runs at most that match the other "
    "criteria. Use --until to search before them."
)
_LOOK_SECONDS = 0.5
_FILTERS = ("job", "name", "task", "executor", "queue", "tag", "error", "argument", "log", "since", "until")
_COLUMNS = ("id", "job", "state", "kind", "attempt", "scheduled_at", "seconds", "error")


class Command(BaseCommand):
    help = "List, cancel and retry runs, and show their logs. Exit code 0: done; 1: refused; 2: could not ask."

    def add_arguments(self, parser: CommandParser) -> None:
        words = parser.add_subparsers(dest="word", required=True, metavar="WORD")
        found: CommandParser = words.add_parser("list", help="List runs, newest first.")
        printing.add_output(found)
        found.add_argument("--failed", action="store_true", help="Only failed, timed out and interrupted runs.")
        found.add_argument("--reason", action="append", choices=sorted(RUN_REASONS), default=[], metavar="CODE")
        _add_filter(found)
        found.add_argument("--limit", type=printing.whole(least=1, most=printing.MOST_ROWS), default=50, metavar="N")
        log: CommandParser = words.add_parser("log", help="Show what a run has logged.")
        log.add_argument("run", type=printing.whole(least=1, most=2**63 - 1), help="The id of the run.")
        log.add_argument("-f", "--follow", action="store_true", help="Go on until the run ends.")

        for word, help in (("cancel", "Cancel runs."), ("retry", "Queue another attempt of finished runs.")):
            part: CommandParser = words.add_parser(word, help=f"{help} Those named, or all that match.")
            part.add_argument("runs", nargs="*", metavar="RUN", type=printing.whole(least=1, most=2**63 - 1))
            _add_filter(part)
            part.add_argument("--limit", type=printing.whole(least=1, most=10_000), default=1000, metavar="N")
            printing.add_output(part)

        many: CommandParser = words.add_parser("bulk", help="Act on all runs that a filter finds, with progress.")
        many.add_argument("action", choices=("cancel", "retry", "delete"))
        _add_filter(many)

    def handle(self, *, word: str, **options: Any) -> None:
        printing.guarded(lambda: getattr(self, f"_{word}")(**options))

    def _list(
        self, *, output: str, failed: bool, state: list[str], reason: list[str], limit: int, **which: Any
    ) -> None:
        states = {*state, *(state.value for state in run_queries.UNSUCCESSFUL if failed)}
        named = {name: which[name] for name in _FILTERS}
        filter = RunFilter(states=tuple(sorted(states)), reasons=tuple(reason), **named)
        rows = list(run_queries.runs(filter=filter)[: limit + 1])
        shown = representations.runs(rows=rows[:limit])
        if output == "json":
            self.stdout.write(printing.as_json(shown))
        else:
            self.stdout.write(printing.table(rows=shown, columns=_COLUMNS))
        if len(rows) > limit:
            printing.note(self.stderr, f"More than {limit:,} runs; narrow the filter or raise --limit.")
        if filter.texts:
            printing.note(self.stderr, _SEARCHED)

    def _cancel(self, **options: Any) -> None:
        self._each(runs.cancel, "cancelled", among=(RunState.QUEUED, RunState.RUNNING), **options)

    def _retry(self, **options: Any) -> None:
        self._each(runs.retry, "retried", among=run_queries.UNSUCCESSFUL, **options)

    def _each(
        self, do: Callable[..., Run], done: str, *, among: Collection[RunState], output: str, limit: int, **which: Any
    ) -> None:
        ids = _chosen(among=among, limit=limit, **which)
        rows = []
        for id in ids:
            try:
                run = do(run=id, actor=printing.actor())
                rows.append({"id": id, "ok": True, "run": run.pk, "state": run.state, "detail": None})
            except SchedulerError as error:
                rows.append({"id": id, "ok": False, "run": None, "state": None, "detail": str(error)})
        if output == "json":
            self.stdout.write(printing.as_json(rows))
        else:
            self.stdout.write(printing.table(rows=rows, columns=("id", "ok", "run", "state", "detail")))
        if not all(row["ok"] for row in rows):
            raise CommandError(f"Not every run could be {done}.", returncode=printing.REFUSED)

    def _bulk(self, *, action: str, state: list[str], **options: Any) -> None:
        named = {name: options[name] for name in _FILTERS if options[name]}
        if not named and not state:
            raise CommandError("Give a filter, such as --job or --state.", returncode=printing.NOT_ASKED)
        row = bulk.begin(
            subject="runs",
            action=action,
            selection=Selection(filter=RunFilter(states=tuple(state), **named)),
            actor=printing.actor(),
            via=Via.COMMAND,
        )
        while row.finished_at is None:
            row = bulk.step(id=row.pk, seconds=0.5)
            if self.stderr.isatty():
                self.stderr.write(f"\r{row.done + row.refused:,} of {row.total:,}", ending="")
        for each in row.refusals:
            self.stderr.write(visible(f"{each['id']}: {each['text']}"))
        self.stdout.write(f"{action}: {row.done:,} of {row.total:,} done, {row.refused:,} refused.")
        if row.refused:
            raise CommandError(f"{row.refused:,} runs were refused.", returncode=printing.REFUSED)

    def _log(self, *, run: int, follow: bool, **_: Any) -> None:
        shown = 0
        never = threading.Event()
        while True:
            found = runs.get(id=run)
            if len(found.log) < shown:
                # A long log loses its middle while it grows: what is at its end is still new.
                shown = 0
                printing.note(self.stderr, "The log was cut in the middle; it begins anew.")
            self.stdout.write(visible(found.log[shown:]), ending="")
            self.stdout.flush()
            shown = len(found.log)
            if found.finished_at is not None or not follow:
                break
            never.wait(_LOOK_SECONDS)
        if found.traceback:
            self.stdout.write(visible(found.traceback))
        if follow and found.state not in (RunState.SUCCEEDED, RunState.SKIPPED):
            text = found.error or found.reason or "no reason was given"
            raise CommandError(f"The run {run} {found.state}: {visible(text)}", returncode=printing.REFUSED)


def _add_filter(parser: CommandParser) -> None:
    """Add the criteria of runs."""
    parser.add_argument("--state", action="append", choices=[state.value for state in RunState], default=[])
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


def _chosen(*, among: Collection[RunState], limit: int, runs: list[int], state: list[str], **filter: Any) -> list[int]:
    """Return the runs that were named, or the oldest of those that match."""
    given = {name: filter[name] for name in _FILTERS if filter[name]}
    if bool(runs) == bool(given or state):
        raise CommandError("Name runs, or say which: --job, --task, --state, --since.", returncode=printing.NOT_ASKED)
    if runs:
        return runs
    states = tuple(sorted(state or (each.value for each in among)))
    found = run_queries.runs(filter=RunFilter(states=states, **given))
    return list(found.order_by("pk").values_list("pk", flat=True)[:limit])
