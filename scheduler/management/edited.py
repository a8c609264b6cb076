"""``manage.py jobs create``, ``edit``, ``clone`` and ``delete``: definitions at a shell."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.core import triggers
from scheduler.core.states import JobSource, Via
from scheduler.core.triggers.calendared import Otherwise
from scheduler.management import printing
from scheduler.models import Job
from scheduler.services import jobs
from scheduler.services.jobs import bulk


def add_definition_arguments(parser: CommandParser, *, is_new: bool) -> None:
    parser.add_argument("job", help="The id of the job.")
    parser.add_argument("--task", required=is_new, metavar="NAME", help="The task; “manage.py tasks list” names them.")
    when = parser.add_mutually_exclusive_group(required=is_new)
    when.add_argument("--cron", metavar="EXPRESSION", help="As crontab writes it.")
    when.add_argument("--every", metavar="SPAN", help="90s, 30m, 12h, 7d or 2w.")
    when.add_argument("--at", metavar="TIME", help="Once: 2027-03-01T09:00.")
    when.add_argument("--trigger", metavar="JSON", help="Any trigger.")
    parser.add_argument("--tz", metavar="ZONE", help="The time zone of the trigger. Default: TIME_ZONE.")
    parser.add_argument(
        "--only-on", action="append", metavar="CALENDAR", help="Fire on the days of this calendar alone."
    )
    parser.add_argument(
        "--not-on", action="append", metavar="CALENDAR", help="Do not fire on the days of this calendar."
    )
    parser.add_argument(
        "--otherwise",
        choices=[each.value for each in Otherwise],
        help="The handling of fire times that calendars leave out. Default: skip.",
    )
    parser.add_argument("--kwargs", metavar="JSON", help="The arguments, by name.")
    parser.add_argument("--name")
    parser.add_argument("--description")
    parser.add_argument("--tag", action="append", metavar="TAG")
    parser.add_argument("--set", action="append", default=[], metavar="POLICY=VALUE", help="Such as max_retries=3.")
    parser.add_argument("--reason", default="", help="Why, for the history of the job.")
    if is_new:
        parser.add_argument("--paused", action="store_true", help="Create it paused.")


def add_clone_arguments(parser: CommandParser) -> None:
    parser.add_argument("job", help="The id of the job.")
    parser.add_argument("id", nargs="?", help="The id of the copy. Default: chosen by the server.")
    parser.add_argument("--name")
    parser.add_argument("--active", action="store_true", help="Do not pause the copy.")


def create(options: dict[str, Any], *, actor: str) -> Job:
    return bulk.create(
        id=options["job"],
        paused=options["paused"],
        actor=actor,
        via=Via.COMMAND,
        source=JobSource.CODE,
        reason=options["reason"],
        **_definition(options),
    )


def edit(options: dict[str, Any], *, actor: str) -> Job:
    changes = _definition(options)
    if not changes:
        raise CommandError("Name what should change, such as --cron or --set.", returncode=printing.NOT_ASKED)
    job = jobs.get(id=options["job"])
    return bulk.update(job=job, actor=actor, via=Via.COMMAND, version=None, reason=options["reason"], **changes)


def clone(options: dict[str, Any], *, actor: str) -> Job:
    return bulk.clone(
        job=jobs.get(id=options["job"]),
        actor=actor,
        via=Via.COMMAND,
        source=JobSource.CODE,
        id=options["id"],
        name=options["name"],
        paused=not options["active"],
    )


def _definition(options: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a definition that were given."""
    found: dict[str, Any] = {
        name: options[name] for name in ("task", "name", "description") if options[name] is not None
    }
    if options["tag"] is not None:
        found["tags"] = options["tag"]
    if options["kwargs"] is not None:
        found["kwargs"] = printing.json_object(options["kwargs"], option="--kwargs")
    calendars = {name: options[name] for name in ("only_on", "not_on", "otherwise") if options[name] is not None}
    if (trigger := _trigger(options)) is not None:
        found["trigger"] = {**trigger, **calendars}
    elif options["tz"] is not None or calendars:
        zone = {} if options["tz"] is None else {"timezone": options["tz"]}
        found["trigger"] = {**triggers.current_form(jobs.get(id=options["job"]).trigger), **zone, **calendars}
    for text in options["set"]:
        name, is_pair, value = text.partition("=")
        if not is_pair:
            raise CommandError(f"--set is “{text}”. Write it as max_retries=3.", returncode=printing.NOT_ASKED)
        found[name] = _value(value)
    return found


def _trigger(options: dict[str, Any]) -> dict[str, Any] | None:
    if options["trigger"] is not None:
        trigger = printing.json_object(options["trigger"], option="--trigger")
    elif options["cron"] is not None:
        trigger = {"type": "cron", "expression": options["cron"]}
    elif options["at"] is not None:
        trigger = {"type": "date", "run_at": options["at"]}
    elif options["every"] is not None:
        trigger = {"type": "interval", **printing.span(options["every"])}
    else:
        return None
    return trigger if options["tz"] is None else {**trigger, "timezone": options["tz"]}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
