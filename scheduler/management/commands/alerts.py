from __future__ import annotations

import getpass
from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import translation

from scheduler.core.states import Via
from scheduler.errors import ChannelNotFound
from scheduler.management import imported, printing, reading
from scheduler.management.terminal import SafeCommand
from scheduler.models import Channel
from scheduler.services.alerts import channels, incidents, messages, rules, switches, transfer
from scheduler.services.alerts.incidents import IncidentFilter

_COLUMNS = ("id", "opened_at", "severity", "job_name", "what", "count", "acknowledged_by", "closed_because")
_RULE_COLUMNS = ("id", "name", "enabled", "kind", "scope", "target", "severity", "channels")
_CHANNEL_COLUMNS = ("id", "name", "kind", "enabled", "tested_at", "sent", "failing_since", "last_error")
_SWITCH_COLUMNS = ("id", "name", "job", "enabled", "every_seconds", "requested_at", "answer")
_ID = printing.whole(least=1, most=2**63 - 1)


class Command(SafeCommand):
    help = "Show incidents and deal with them. Exit code 0: done; 1: refused; 2: could not be asked."

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)
        found: CommandParser = words.add_parser("list", help="List incidents, newest first.")
        printing.add_output(found)
        found.add_argument("--all", action="store_true", help="Also those that are closed.")
        found.add_argument("--job", default="", help="The id of a job.")
        found.add_argument("--since", type=printing.since, metavar="TIME", help="12h, 7d, or an ISO 8601 time.")
        found.add_argument("--limit", type=printing.whole(least=1, most=printing.MOST_ROWS), default=50, metavar="N")
        acknowledge: CommandParser = words.add_parser("ack", help="Acknowledge incidents: no reminders, no escalation.")
        acknowledge.add_argument("incidents", type=_ID, nargs="+", metavar="ID")
        acknowledge.add_argument("--note", default="")
        snooze: CommandParser = words.add_parser("snooze", help="Hold back reminders of incidents until a time.")
        snooze.add_argument("incidents", type=_ID, nargs="+", metavar="ID")
        snooze.add_argument("--until", type=printing.until, required=True, metavar="TIME", help="2h, 3d, or a time.")
        snooze.add_argument("--note", default="")
        test: CommandParser = words.add_parser("test", help="Send a test message through a channel.")
        test.add_argument("channel", help="The name or the id of a channel.")
        listed = {"rules": "List rules.", "channels": "List channels.", "switches": "List dead-man's switches."}
        for name, text in listed.items():
            printing.add_output(words.add_parser(name, help=text))
        words.add_parser("export", help="Print rules, channels and switches as JSON, without secrets.")
        load: CommandParser = words.add_parser("import", help="Create and update them from such JSON.")
        load.add_argument("file", help="A file, or - for standard input.")

    def handle(self, *, word: str, **options: Any) -> None:
        with translation.override("en"):
            printing.guarded(lambda: getattr(self, f"_{word}")(**options))

    def _list(self, *, output: str, all: bool, job: str, since: datetime | None, limit: int, **_: Any) -> None:
        found = incidents.find(filter=IncidentFilter(state="" if all else "open", job=job, since=since))
        rows = [messages.represent(incident) for incident in found[:limit]]
        self._print(rows, output, _COLUMNS)

    def _ack(self, *, incidents: list[int], note: str, **_: Any) -> None:
        from scheduler.services.alerts import incidents as service

        for id in incidents:
            service.acknowledge(incident=service.get(id=id), actor=_user(), note=note)
            printing.note(self.stderr, f"The incident {id} is acknowledged.")

    def _snooze(self, *, incidents: list[int], until: datetime, note: str, **_: Any) -> None:
        from scheduler.services.alerts import incidents as service

        for id in incidents:
            service.snooze(incident=service.get(id=id), until=until, actor=_user(), note=note)
            printing.note(self.stderr, f"The incident {id} is snoozed until {until.isoformat(timespec='seconds')}.")

    def _test(self, *, channel: str, **_: Any) -> None:
        found = Channel.objects.filter(name=channel).first()
        if found is None and channel.isdecimal():
            found = Channel.objects.filter(pk=int(channel[:18])).first()
        if found is None:
            raise ChannelNotFound(f"There is no channel “{channel[:100]}”.")
        self.stdout.write(channels.test(channel=found))

    def _rules(self, *, output: str, **_: Any) -> None:
        self._print([rules.represent(rule) for rule in rules.all_rules()], output, _RULE_COLUMNS)

    def _channels(self, *, output: str, **_: Any) -> None:
        self._print([channels.represent(channel) for channel in channels.all_channels()], output, _CHANNEL_COLUMNS)

    def _switches(self, *, output: str, **_: Any) -> None:
        self._print([switches.represent(switch) for switch in switches.all_switches()], output, _SWITCH_COLUMNS)

    def _export(self, **_: Any) -> None:
        self.stdout.write(printing.as_json(transfer.export()))

    def _import(self, *, file: str, **_: Any) -> None:
        done = transfer.load(document=reading.document(file), actor=_user(), via=Via.COMMAND)
        imported.note_alerts(done, err=self.stderr)

    def _print(self, rows: list[dict[str, Any]], output: str, columns: tuple[str, ...]) -> None:
        text = printing.as_json(rows) if output == "json" else printing.table(rows=rows, columns=columns)
        self.stdout.write(text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "command line"
