from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from scheduler.core.states import Via
from scheduler.core.triggers.calendars.named import During
from scheduler.errors import CalendarNotFound
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import calendars
from scheduler.services.calendars import entries, transfer

_COLUMNS = ("name", "title", "rules", "timezone", "tags", "during", "version")


class Command(SafeCommand):
    help = "Show and change calendars. Exit code 0: done; 1: refused; 2: could not be asked."

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)
        printing.add_output(words.add_parser("list", help="List the calendars."))
        for word, help in (("show", "Show a calendar."), ("jobs", "List the jobs whose triggers name a calendar.")):
            part: CommandParser = words.add_parser(word, help=help)
            part.add_argument("name")
            printing.add_output(part)
        coming: CommandParser = words.add_parser("entries", help="List what is on a calendar.")
        coming.add_argument("name")
        coming.add_argument("-n", dest="count", type=printing.whole(least=1, most=366), default=20, metavar="N")
        coming.add_argument("--since", type=printing.since, metavar="TIME", help="Default: now.")
        printing.add_output(coming)
        change: CommandParser = words.add_parser("set", help="Create a calendar, or change what is given of it.")
        change.add_argument("name")
        change.add_argument(
            "rules", nargs="*", metavar="RULE", help="In place of its rules: “sat-sun”, “holidays DE-BY”."
        )
        change.add_argument("--file", metavar="FILE", help="Add the events of an iCalendar file; - for standard input.")
        change.add_argument("--title")
        change.add_argument("--tz", metavar="ZONE", help="The zone of its days. Default: that of each trigger.")
        change.add_argument(
            "--tag", action="append", metavar="TAG", help="A maintenance window for jobs with this tag."
        )
        change.add_argument("--during", choices=[each.value for each in During])
        printing.add_output(change)
        words.add_parser("delete", help="Delete a calendar that triggers do not name.").add_argument("name")
        words.add_parser("refresh", help="Read the holidays of all countries anew. Do so once a year.")
        words.add_parser("export", help="Print all calendars as JSON.")
        load: CommandParser = words.add_parser("import", help="Create and change calendars from such JSON.")
        load.add_argument("file", help="A file, or - for standard input.")

    def handle(self, *, word: str, **options: Any) -> None:
        printing.guarded(lambda: getattr(self, f"_{word}")(**options))

    def _list(self, *, output: str, **_: Any) -> None:
        rows = [calendars.represent(calendar=calendar) for calendar in calendars.all_calendars()]
        self._print([{**row, "rules": len(row["rules"])} for row in rows] if output != "json" else rows, output)

    def _show(self, *, name: str, output: str, **_: Any) -> None:
        self._facts(calendars.represent(calendar=calendars.get(name=name)), output)

    def _jobs(self, *, name: str, output: str, **_: Any) -> None:
        found = calendars.users(calendar=calendars.get(name=name)).values("pk", "name")
        self._print([{"id": each["pk"], "name": each["name"]} for each in found], output, ("id", "name"))

    def _entries(self, *, name: str, count: int, since: Any, output: str, **_: Any) -> None:
        found = entries.of(calendar=calendars.get(name=name), since=since, limit=count)
        rows = [{"begin": each.begin, "end": each.end, "title": each.title} for each in found]
        self._print(rows, output, ("begin", "end", "title"))

    def _set(
        self,
        *,
        name: str,
        rules: list[str],
        file: str | None,
        output: str,
        **given: Any,
    ) -> None:
        options = {"title": "title", "timezone": "tz", "tags": "tag", "during": "during"}
        changes = {field: given[option] for field, option in options.items() if given[option] is not None}
        added = [] if file is None else calendars.rules_of_file(file=_bytes(file), now=timezone.now())
        author: dict[str, Any] = {"actor": printing.actor(), "via": Via.COMMAND}
        try:
            stored = calendars.get(name=name)
        except CalendarNotFound:
            done = calendars.create(name=name, rules=[*rules, *added], **changes, **author)
        else:
            if rules or added:
                changes["rules"] = [*(rules or stored.rules), *added]
            done = calendars.update(calendar=stored, **changes, **author)
        self._facts(calendars.represent(calendar=done), output)

    def _delete(self, *, name: str, **_: Any) -> None:
        calendars.remove(calendar=calendars.get(name=name), actor=printing.actor(), via=Via.COMMAND)
        printing.note(self.stderr, f"The calendar {name} is deleted.")

    def _refresh(self, **_: Any) -> None:
        changed = calendars.refresh(actor=printing.actor(), via=Via.COMMAND)
        names = ", ".join(calendar.name for calendar in changed)
        printing.note(self.stderr, f"Changed: {names}." if names else "All holidays are as they were.")

    def _export(self, **_: Any) -> None:
        self.stdout.write(printing.as_json(transfer.export()))

    def _import(self, *, file: str, **_: Any) -> None:
        try:
            document = json.loads(_bytes(file))
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{file} is not JSON: {error}.", returncode=printing.NOT_ASKED) from None
        done = transfer.load(document=document, actor=printing.actor(), via=Via.COMMAND)
        counts = {"created": done.created, "updated": done.updated, "unchanged": done.unchanged}
        printing.note(self.stderr, ", ".join(f"{len(names)} {what}" for what, names in counts.items()) + ".")

    def _facts(self, document: dict[str, Any], output: str) -> None:
        self.stdout.write(printing.as_json(_plain(document)) if output == "json" else printing.facts(_plain(document)))

    def _print(self, rows: list[dict[str, Any]], output: str, columns: tuple[str, ...] = _COLUMNS) -> None:
        shown = [_plain(row) for row in rows]
        self.stdout.write(printing.as_json(shown) if output == "json" else printing.table(rows=shown, columns=columns))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}


def _bytes(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=printing.NOT_ASKED) from None
