from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services.queries import health, representations
from scheduler.services.queries.status import status


class Command(SafeCommand):
    help = "Say whether the scheduling works. Exit code 0: it does; 1: it does not; 2: the database does not answer."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        printing.add_output(parser)

    def handle(self, *, output: str, **options: Any) -> None:
        printing.guarded(lambda: self._handle(as_json=output == "json"))

    def _handle(self, *, as_json: bool) -> None:
        report = health.check()
        found = representations.status(found=status()) if report.standing is not None else {}
        document = {**report.as_dict(details=True), "scheduler": found or None}
        self.stdout.write(printing.as_json(document) if as_json else _text(document))
        if not report.connection_valid:
            raise CommandError(report.error, returncode=printing.NOT_ASKED)
        if not report.is_ready:
            raise CommandError(report.error, returncode=printing.REFUSED)


def _text(document: dict[str, Any]) -> str:
    lines = []
    found = document["scheduler"]
    if found is not None:
        lines.append(printing.facts({name: found[name] for name in _SHOWN}))
        lines.append("")
    lines.append(printing.table(rows=document["checks"], columns=("name", "status", "text")))
    return "\n".join(lines)


_SHOWN = (
    "status",
    "health",
    "total_jobs",
    "jobs_by_state",
    "due_jobs",
    "overdue_jobs",
    "max_overdue_seconds",
    "next_run_time",
)
