from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from scheduler.core.tasks.registry import registry
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand

_COLUMNS = ("name", "arguments", "executor", "timeout_seconds", "idempotent", "description")


class Command(SafeCommand):
    help = "List the tasks that jobs may run. Exit code 0: done."

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)
        found: CommandParser = words.add_parser("list", help="List tasks by name.")
        found.add_argument("--search", default="", metavar="TEXT", help="Part of the name or the description.")
        printing.add_output(found)

    def handle(self, *, search: str, output: str, **options: Any) -> None:
        printing.guarded(lambda: self._list(search=search.casefold(), output=output))

    def _list(self, *, search: str, output: str) -> None:
        rows = [
            {
                "name": task.name,
                "arguments": list(task.schema.get("properties", {})),
                "executor": task.executor,
                "timeout_seconds": None if task.timeout is None else task.timeout.total_seconds(),
                "idempotent": task.idempotent,
                "description": task.description,
            }
            for task in registry.all()
            if search in f"{task.name} {task.description}".casefold()
        ]
        if output == "json":
            self.stdout.write(printing.as_json(rows))
        else:
            shown = [{**row, "arguments": ", ".join(row["arguments"]) or None} for row in rows]  # type: ignore[arg-type]
            self.stdout.write(printing.table(rows=shown, columns=_COLUMNS))
