from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import installation


class Command(SafeCommand):
    help = (
        "Prepare the database for the scheduler: check the connection, apply what is missing, and print the health. "
        "Exit code 0: ready; 1: not ready, with one sentence that says what to do."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Change nothing, only say what is missing.")
        printing.add_output(parser)

    def handle(self, *, check: bool, output: str, **options: Any) -> None:
        health = installation.check() if check else installation.install()
        self.stdout.write(_as_json(health) if output == "json" else _as_text(health))
        if health.error:
            raise CommandError(health.error, returncode=1)


def _as_json(health: installation.Health) -> str:
    return json.dumps(health.as_dict(), ensure_ascii=False)


def _as_text(health: installation.Health) -> str:
    return "\n".join(f"{name}: {_word(value)}" for name, value in health.as_dict().items())


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
