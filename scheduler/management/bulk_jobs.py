"""``manage.py jobs``: one action on all jobs that a filter finds, with progress."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.core import durations
from scheduler.management import many, printing
from scheduler.management.terminal import SafeOutput
from scheduler.services.bulk import Selection, edits
from scheduler.services.queries import job_queries
from scheduler.services.queries.job_queries import JobFilter

ACTIONS = ("run", "add_tags", "remove_tags", "clone", "edit")
"""Of ``jobs bulk``. The others are words of their own, which take ids or a filter."""


def add_filter(parser: CommandParser) -> None:
    found = parser.add_argument_group("filter")
    found.add_argument("--state", action="append", choices=("active", "paused", "finished", "broken"), default=[])
    found.add_argument("--task", action="append", default=[])
    found.add_argument("--executor", action="append", default=[])
    found.add_argument("--tag", action="append", default=[], help="Only jobs with all of these.")
    found.add_argument("--search", default="", metavar="TEXT", help="Part of the name, the id or the task.")
    found.add_argument("--failing", action="store_true", help="Only jobs with failures in a row.")
    found.add_argument("--undeclared", action="store_true", help="Only jobs paused as no longer declared.")
    found.add_argument("--all", action="store_true", help="All jobs, where no filter is given.")
    parser.add_argument("--dry-run", action="store_true", help="Print the jobs; for edit, with what would change.")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("action", choices=ACTIONS)
    add_filter(parser)
    parser.add_argument("--reason", default="")
    parser.add_argument("--tags", action="append", default=[], metavar="TAG", help="add_tags, remove_tags.")
    edit = parser.add_argument_group("edit")
    edit.add_argument("--set-timezone", metavar="ZONE")
    edit.add_argument("--set-interval", metavar="DURATION", help="Such as “90 min”.")
    edit.add_argument("--set-timeout", metavar="DURATION", help="Such as “2 h”.")
    edit.add_argument("--set-executor", metavar="NAME")
    printing.add_output(parser)


def is_filtered(options: dict[str, Any]) -> bool:
    """Return whether an option selects jobs."""
    return options["all"] or _filter(options) != JobFilter()


def run(options: dict[str, Any], *, out: SafeOutput, err: SafeOutput) -> None:
    """:raises CommandError: no filter was given, or jobs were refused"""
    parameters = {"reason": options["reason"], "until": None, "tags": options["tags"], "changes": _changes(options)}
    act(options["action"], options, parameters=parameters, out=out, err=err)


def act(action: str, options: dict[str, Any], *, parameters: dict[str, Any], out: SafeOutput, err: SafeOutput) -> None:
    """:raises CommandError: no filter was given, or jobs were refused"""
    if not is_filtered(options):
        raise CommandError("Give a filter, such as --tag or --state, or --all.", returncode=printing.NOT_ASKED)
    filter = _filter(options)
    if options["dry_run"]:
        _print_preview(filter, parameters.get("changes", {}), output=options["output"], out=out)
        return
    row = many.carry_out(
        subject="jobs", action=action, selection=Selection(filter=filter), parameters=parameters, err=err
    )
    out.write(printing.as_json(many.summary(row)) if options["output"] == "json" else many.sentence(row))
    if row.refused:
        raise CommandError(f"{row.refused:,} jobs were refused.", returncode=printing.REFUSED)


def _filter(options: dict[str, Any]) -> JobFilter:
    return JobFilter(
        states=tuple(options["state"]),
        tasks=tuple(options["task"]),
        executors=tuple(options["executor"]),
        tags=tuple(options["tag"]),
        text=options["search"],
        failing=options["failing"],
        undeclared=options["undeclared"],
    )


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


def _print_preview(filter: JobFilter, changes: dict[str, Any], *, output: str, out: SafeOutput) -> None:
    found = job_queries.jobs(filter=filter).order_by("pk")
    if changes:
        rows = [_previewed(each) for each in edits.preview(jobs=found, changes=changes)]
        columns: tuple[str, ...] = ("id", "changes", "detail")
    else:
        rows, columns = [{"id": job.pk, "name": job.name} for job in found], ("id", "name")
    out.write(printing.as_json(rows) if output == "json" else printing.table(rows=rows, columns=columns))


def _previewed(effect: edits.Effect) -> dict[str, Any]:
    changes = json.dumps(effect.changes, ensure_ascii=False) if effect.changes else None
    return {"id": effect.job.pk, "changes": changes, "detail": str(effect.refusal) if effect.refusal else None}
