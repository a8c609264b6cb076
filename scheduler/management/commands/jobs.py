from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from scheduler.core import triggers
from scheduler.core.states import RunState, Via
from scheduler.core.triggers.zones import zone_named
from scheduler.logbook import visible
from scheduler.management import bulk_jobs, declared, edited, imported, printing, reading
from scheduler.management.declared import PlanningCommand
from scheduler.models import Run
from scheduler.services import jobs, runs
from scheduler.services.jobs import bulk, transfer
from scheduler.services.queries import job_history, job_queries, representations
from scheduler.services.queries.job_history import ChangeFilter
from scheduler.services.queries.job_queries import JobFilter
from scheduler.store.clock import database_now

_LOOK_SECONDS = 0.2
_CHANGE_COLUMNS = ("id", "changed_at", "version", "action", "actor", "via", "what", "reason")
_COLUMNS = ("id", "name", "state", "task", "when", "next_run_time")


class Command(PlanningCommand):
    help = (
        "List, show, create, edit, clone, delete, run, pause, resume, export and import jobs, and show their history. "
        "Exit code 0: done; 1: refused; 2: could not ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)

        def add(word: str, help: str, *arguments: Callable[[CommandParser], Any]) -> CommandParser:
            part: CommandParser = words.add_parser(word, help=help)
            for argument in arguments:
                argument(part)
            return part

        _add_reading_words(add)
        _add_changing_words(add)
        _add_file_words(add)

    def is_plan(self, argv: Sequence[str]) -> bool:
        return list(argv[2:3]) == ["plan"]

    def handle(self, *, word: str, **options: Any) -> None:
        printing.guarded(lambda: getattr(self, f"_{word.replace('-', '_')}")(**options), is_plan=word == "plan")

    def _list(
        self,
        *,
        output: str,
        limit: int,
        **given: Any,
    ) -> None:
        filter = JobFilter(
            states=tuple(given["state"] or ()),
            tasks=tuple(given["task"]),
            tags=tuple(given["tag"]),
            failing=given["failing"],
            drift=given["drift"],
            undeclared=given["undeclared"],
            text=given["search"],
        )
        rows = list(_jobs(filter)[: limit + 1])
        shown = representations.jobs(rows=rows[:limit])
        self._print(shown, output, columns=_COLUMNS)
        if len(rows) > limit:
            more = f"{limit:,} jobs" if limit > 1 else "1 job"
            printing.note(self.stderr, f"More than {more}; narrow the filter or raise --limit.")

    def _show(self, *, job: str, output: str, **_: Any) -> None:
        self._print(representations.jobs(rows=[jobs.get(id=job)])[0], output)

    def _next(self, *, job: str | None, cron: str | None, tz: str | None, count: int, output: str, **_: Any) -> None:
        if (job is None) == (cron is None):
            raise CommandError("Name a job, or give --cron.", returncode=printing.NOT_ASKED)
        # An expression alone is computed here: it needs no database.
        if job is None:
            trigger, now = {"type": "cron", "expression": cron, "timezone": tz}, timezone.now()
        else:
            trigger, now = jobs.get(id=job).trigger, database_now()
        moments = triggers.next_fire_times(trigger, after=now, count=count)
        printing.note(self.stderr, triggers.describe(trigger))
        for remark in triggers.remarks(triggers.parse(trigger)):
            printing.note(self.stderr, str(remark))
        if output == "json":
            self.stdout.write(printing.as_json([representations.instant(moment) for moment in moments]))
        else:
            zone = zone_named(triggers.parse(trigger).timezone)
            self.stdout.write("\n".join(moment.astimezone(zone).isoformat() for moment in moments))

    def _run(self, *, job: str, output: str, kwargs: str | None, wait: bool, timeout: float, **_: Any) -> None:
        given = None if kwargs is None else printing.json_object(kwargs, option="--kwargs")
        run = bulk.run_now(job=jobs.get(id=job), actor=printing.actor(), kwargs=given)
        if wait:
            printing.note(self.stderr, f"Run {run.pk} is queued; waiting for its end.")
            run = self._ended(run, timeout)
        self._print(representations.runs(rows=[run])[0], output)
        if wait and run.state not in (RunState.SUCCEEDED, RunState.SKIPPED):
            text = run.error or run.reason or "no reason was given"
            raise CommandError(f"The run {run.pk} {run.state}: {visible(text)}", returncode=printing.REFUSED)

    def _ended(self, run: Run, timeout: float) -> Run:
        deadline = time.monotonic() + timeout
        never = threading.Event()
        while run.finished_at is None:
            if time.monotonic() >= deadline:
                raise CommandError(
                    f"The run {run.pk} is still {run.state} after {timeout:g} s.", returncode=printing.NOT_ASKED
                )
            never.wait(_LOOK_SECONDS)
            run = runs.get(id=run.pk)
        return run

    def _create(self, *, output: str, **options: Any) -> None:
        self._print(representations.jobs(rows=[edited.create(options, actor=printing.actor())])[0], output)

    def _edit(self, *, output: str, **options: Any) -> None:
        self._print(representations.jobs(rows=[edited.edit(options, actor=printing.actor())])[0], output)

    def _clone(self, *, output: str, **options: Any) -> None:
        self._print(representations.jobs(rows=[edited.clone(options, actor=printing.actor())])[0], output)

    def _delete(self, *, reason: str, **options: Any) -> None:
        self._each("delete", reason=reason, **options)

    def _pause(self, *, reason: str, until: str | None, **options: Any) -> None:
        self._each("pause", reason=reason, until=None if until is None else _instant(until), **options)

    def _resume(self, *, reason: str, **options: Any) -> None:
        self._each("resume", reason=reason, **options)

    def _changes(self, *, job: str, output: str, limit: int, **_: Any) -> None:
        found = list(job_history.changes(filter=ChangeFilter(job=job))[:limit])
        if not found:
            jobs.get(id=job)  # refuses an id that nothing ever had
        shown = representations.changes(rows=found)
        if output != "json":
            for row, change in zip(shown, found, strict=True):
                row["what"] = job_history.brief(change=change)
        self._print(shown, output, columns=_CHANGE_COLUMNS)

    def _each(
        self, action: str, *, jobs: list[str], reason: str, until: datetime | None = None, **options: Any
    ) -> None:
        if bool(jobs) == bulk_jobs.is_filtered(options):
            raise CommandError("Name jobs, or say which: --tag, --state … or --all.", returncode=printing.NOT_ASKED)
        if not jobs:
            parameters = {"reason": reason, "until": until.isoformat() if until else None}
            bulk_jobs.act(action, options, parameters=parameters, out=self.stdout, err=self.stderr)
            return
        if options["dry_run"]:
            raise CommandError("--dry-run shows what a filter finds.", returncode=printing.NOT_ASKED)
        how: dict[str, Any] = {"reason": reason, **({"until": until} if action == "pause" else {})}
        done = bulk.change_many(action=action, which=tuple(jobs), actor=printing.actor(), via=Via.COMMAND, **how)
        output = options["output"]
        rows = [
            {"id": change.id, "ok": change.error is None, "detail": str(change.error) if change.error else None}
            for change in done.results
        ]
        self._print(rows, output, columns=("id", "ok", "detail"))
        if any(change.error for change in done.results):
            raise CommandError("Not every job could be changed.", returncode=printing.REFUSED)

    def _export(self, *, jobs: list[str], alerts: bool, **_: Any) -> None:
        for piece in printing.json_pieces(transfer.members(ids=tuple(jobs), with_alerts=alerts)):
            self.stdout.write(piece, ending="")

    def _import(self, *, file: str, update: bool, reason: str, dry_run: bool, output: str, **_: Any) -> None:
        author = {"actor": printing.actor(), "via": Via.COMMAND}
        with reading.export(file) as document:
            done = transfer.imported(document=document, **author, reason=reason, update=update, dry_run=dry_run)
            is_refused = imported.report(done, output=output, out=self.stdout)
            alerts = transfer.import_alerts(document=document, **author, update=update, dry_run=dry_run)
        if alerts is not None:
            imported.note_alerts(alerts, err=self.stderr)
        if is_refused:
            raise CommandError("Not every job could be imported.", returncode=printing.REFUSED)

    def _bulk(self, **options: Any) -> None:
        bulk_jobs.run(options, out=self.stdout, err=self.stderr)

    def _plan(self, **options: Any) -> None:
        declared.plan(options, out=self.stdout, err=self.stderr, style=self.style)

    def _apply(self, **options: Any) -> None:
        declared.apply(options, actor=printing.actor(), out=self.stdout, err=self.stderr, style=self.style)

    def _import_crontab(self, *, file: str, timezone: str, **_: Any) -> None:
        imported.crontab(file=file, timezone=timezone, out=self.stdout, err=self.stderr)

    def _import_beat(self, *, path: str, timezone: str, **_: Any) -> None:
        imported.beat(path=path, timezone=timezone, out=self.stdout, err=self.stderr)

    def _import_cronjobs(self, *, timezone: str, **_: Any) -> None:
        imported.cronjobs(timezone=timezone, out=self.stdout, err=self.stderr)

    def _print(self, document: Any, output: str, *, columns: tuple[str, ...] = ()) -> None:
        if output == "json":
            self.stdout.write(printing.as_json(document))
        elif columns:
            self.stdout.write(printing.table(rows=document, columns=columns))
        else:
            self.stdout.write(printing.facts(document))


AddWord = Callable[..., CommandParser]
"""Adds a word of the command with its help and the functions that give it arguments."""


def _add_reading_words(add: AddWord) -> None:
    found = add("list", "List jobs.", printing.add_output)
    found.add_argument("--state", action="append", choices=("active", "paused", "finished", "broken"))
    found.add_argument("--task", action="append", default=[])
    found.add_argument("--tag", action="append", default=[], help="Only jobs with all of these.")
    found.add_argument("--search", default="", metavar="TEXT", help="Part of the name, the id or the task.")
    found.add_argument("--failing", action="store_true", help="Only jobs with failures in a row.")
    found.add_argument("--drift", action="store_true", help="Only declared jobs that a person changed.")
    found.add_argument("--undeclared", action="store_true", help="Only jobs paused as no longer declared.")
    found.add_argument("--limit", type=printing.whole(least=1, most=printing.MOST_ROWS), default=200, metavar="N")
    add("show", "Show a job.", _one, printing.add_output)
    coming = add("next", "Say when a job fires next.", printing.add_output)
    coming.add_argument("job", nargs="?", help="The id of the job; or --cron.")
    coming.add_argument("--cron", metavar="EXPRESSION", help="A crontab expression that is not saved.")
    coming.add_argument("--tz", metavar="ZONE", help="Its time zone. Default: TIME_ZONE.")
    coming.add_argument("-n", dest="count", type=printing.whole(least=1, most=1000), default=10, metavar="N")
    history = add("changes", "Show who changed a job, when and how; also a deleted one.", _one, printing.add_output)
    history.add_argument("--limit", type=printing.whole(least=1, most=printing.MOST_ROWS), default=50, metavar="N")


def _add_changing_words(add: AddWord) -> None:
    run = add("run", "Run a job now.", _one, printing.add_output)
    run.add_argument("--kwargs", metavar="JSON", help="In place of the job's.")
    run.add_argument("--wait", action="store_true", help="Wait for its end; exit code 1 if it did not succeed.")
    run.add_argument(
        "--timeout", type=printing.seconds, default=3600.0, metavar="SECONDS", help="Longest wait. Default: 3600."
    )
    edited.add_definition_arguments(add("create", "Create a job.", printing.add_output), is_new=True)
    edited.add_definition_arguments(add("edit", "Change what is given of a job.", printing.add_output), is_new=False)
    edited.add_clone_arguments(add("clone", "Copy a job, its secrets included.", printing.add_output))
    deletion = add("delete", "Delete jobs; their history stays.", _many, printing.add_output)
    pause = add("pause", "Pause jobs.", _many, printing.add_output)
    pause.add_argument("--until", metavar="INSTANT", help="When they resume by themselves.")
    resume = add("resume", "Resume jobs.", _many, printing.add_output)
    for part in (deletion, pause, resume):
        part.add_argument("--reason", default="", help="Why, for the history of the jobs.")
    bulk_jobs.add_arguments(add("bulk", "Act on all jobs that a filter finds, with progress."))


def _add_file_words(add: AddWord) -> None:
    exporting = add("export", "Write the definitions of jobs as JSON; secrets are masked.")
    exporting.add_argument("jobs", nargs="*", metavar="JOB", help="Their ids. Default: all.")
    exporting.add_argument("--alerts", action="store_true", help="With all rules, channels and dead-man's switches.")
    importing = add("import", "Create the jobs of an export.", printing.add_output)
    importing.add_argument("file", help="A file, or “-” for standard input.")
    importing.add_argument("--update", action="store_true", help="Change those that exist.")
    importing.add_argument("--reason", default="", help="Why, for the history of the jobs.")
    importing.add_argument("--dry-run", action="store_true", help="Say what would be done.")
    declared.add_arguments(add("plan", "Show what “apply” would change of the declared jobs."), applies=False)
    declared.add_arguments(add("apply", "Create and change the jobs that code and files declare."), applies=True)
    imported.add_crontab_arguments(add("import-crontab", "Print the jobs of a crontab as a file of declared jobs."))
    imported.add_beat_arguments(add("import-beat", "Print Celery's beat_schedule as a file of declared jobs."))
    imported.add_cronjobs_arguments(
        add("import-cronjobs", "Print django-crontab's CRONJOBS as a file of declared jobs.")
    )


def _jobs(filter: JobFilter) -> Any:
    return job_queries.jobs(filter=filter).order_by("pk")


def _one(parser: CommandParser) -> None:
    parser.add_argument("job", help="The id of the job.")


def _many(parser: CommandParser) -> None:
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="The ids of the jobs; or a filter.")
    bulk_jobs.add_filter(parser)


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - refused below, as every time without an offset
    if found.tzinfo is None:
        sentence = f"--until is “{text}”, no instant; write it as 2027-03-01T09:00:00+01:00, with an offset."
        raise CommandError(sentence, returncode=printing.NOT_ASKED)
    return found
