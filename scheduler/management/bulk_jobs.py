"""``manage.py jobs bulk``: one action on all jobs that a filter finds, with progress."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from scheduler.core import durations
from scheduler.core.states import Via
from scheduler.logbook import visible
from scheduler.management import printing
from scheduler.services import bulk
from scheduler.services.bulk import Selection, edits, on_jobs
from scheduler.services.queries import job_queries
from scheduler.services.queries.job_queries import JobFilter


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("action", choices=on_jobs.ACTIONS)
    parser.add_argument("--state", action="append", choices=("active", "paused", "finished", "broken"), default=[])
    parser.add_argument("--task", action="append", default=[])
    parser.add_argument("--executor", action="append", default=[])
    parser.add_argument("--tag", action="append", default=[], help="Only jobs with all of these.")
    parser.add_argument("--search", default="", metavar="TEXT", help="Part of the name, the id or the task.")
    parser.add_argument("--failing", action="store_true", help="Only jobs with failures in a row.")
    parser.add_argument("--undeclared", action="store_true", help="Only jobs paused as no longer declared.")
    parser.add_argument("--all", action="store_true", help="All jobs, where no filter is given.")
    parser.add_argument("--reason", default="")
    parser.add_argument("--until", type=printing.since, metavar="TIME", help="pause: when it ends by itself.")
    parser.add_argument("--tags", action="append", default=[], metavar="TAG", help="add_tags, remove_tags.")
    edit = parser.add_argument_group("edit")
    edit.add_argument("--set-timezone", metavar="ZONE")
    edit.add_argument("--set-interval", metavar="DURATION", help="Such as “90 min”.")
    edit.add_argument("--set-timeout", metavar="DURATION", help="Such as “2 h”.")
    edit.add_argument("--set-executor", metavar="NAME")
    parser.add_argument("--dry-run", action="store_true", help="Print the jobs; for edit, with what would change.")


def run(options: dict[str, Any], *, actor: str, out: OutputWrapper, err: OutputWrapper) -> None:
    """:raises CommandError: no filter was given, or jobs were refused"""
    filter = JobFilter(
        states=tuple(options["state"]),
        tasks=tuple(options["task"]),
        executors=tuple(options["executor"]),
        tags=tuple(options["tag"]),
        text=options["search"],
        failing=options["failing"],
        undeclared=options["undeclared"],
    )
    if filter == JobFilter() and not options["all"]:
        raise CommandError("Give a filter, such as --tag or --state, or --all.", returncode=printing.NOT_ASKED)
    changes = _changes(options)
    if options["dry_run"]:
        _print_preview(filter, changes, out=out)
        return
    row = bulk.begin(
        subject="jobs",
        action=options["action"],
        selection=Selection(filter=filter),
        parameters={
            "reason": options["reason"],
            "until": options["until"].isoformat() if options["until"] else None,
            "tags": options["tags"],
            "changes": changes,
        },
        actor=actor,
        via=Via.COMMAND,
    )
    while row.finished_at is None:
        row = bulk.step(id=row.pk, seconds=0.5)
        if err.isatty():
            err.write(f"\r{row.done + row.refused:,} of {row.total:,}", ending="")
    for each in row.refusals:
        err.write(visible(f"{each['id']}: {each['text']}"))
    out.write(f"{options['action']}: {row.done:,} of {row.total:,} done, {row.refused:,} refused.")
    if row.refused:
        raise CommandError(f"{row.refused:,} jobs were refused.", returncode=printing.REFUSED)


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    found = {name: options[f"set_{name}"] for name in ("timezone", "executor") if options[f"set_{name}"]}
    for option, name in (("set_interval", "interval_seconds"), ("set_timeout", "timeout")):
        if options[option]:
            try:
                found[name] = durations.seconds(options[option])
            except durations.NotADuration:
                sentence = f"“{options[option]}” is not a duration. Write it as 90 s, 15 min or 2 h."
                raise CommandError(sentence, returncode=printing.NOT_ASKED) from None
    return found


def _print_preview(filter: JobFilter, changes: dict[str, Any], *, out: OutputWrapper) -> None:
    found = job_queries.jobs(filter=filter).order_by("pk")
    if not changes:
        out.write(printing.table(rows=[{"id": job.pk, "name": job.name} for job in found], columns=("id", "name")))
        return
    rows = [_previewed(each) for each in edits.preview(jobs=found, changes=changes)]
    out.write(printing.table(rows=rows, columns=("id", "changes", "detail")))


def _previewed(effect: edits.Effect) -> dict[str, Any]:
    changes = json.dumps(effect.changes, ensure_ascii=False) if effect.changes else None
    return {"id": effect.job.pk, "changes": changes, "detail": str(effect.refusal) if effect.refusal else None}
