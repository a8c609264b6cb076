from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import resealing


class Command(SafeCommand):
    help = (
        "Seal stored secrets with the present SECRET_KEY, each bound to its job, task and argument. Afterwards "
        "SECRET_KEY_FALLBACKS may be emptied and SCHEDULER['UNBOUND_SECRETS'] set to False. Exit code 1: some secrets "
        "could not be opened."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only print what would be sealed.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        printing.guarded(lambda: self._reseal(dry_run=dry_run))

    def _reseal(self, *, dry_run: bool) -> None:
        sealed, refused = 0, 0
        for done in resealing.reseal(dry_run=dry_run):
            if done.error is None:
                sealed += 1
                continue
            refused += 1
            self.stderr.write(f"{done.what} {done.id}: {done.error}")
        verb = "would be sealed" if dry_run else "sealed"
        self.stdout.write(f"{sealed:,} {verb}, {refused:,} could not be opened.")
        if refused:
            raise CommandError("Enter the secrets of these again.", returncode=1)
