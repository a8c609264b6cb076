from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.compat import adoption
from scheduler.compat.adoption import Outcome
from scheduler.core.states import Via
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand


class Command(SafeCommand):
    help = (
        "Turn jobs that stock django-apscheduler stored into jobs of the scheduler. "
        "Exit code 0: done; 1: some could not be taken, and were left as they are; 2: could not ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be taken.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        printing.guarded(lambda: self._adopt(dry_run=dry_run))

    def _adopt(self, *, dry_run: bool) -> None:
        outcomes = adoption.adopt(dry_run=dry_run, actor="adopt_jobs", via=Via.COMMAND, on_outcome=self._print_outcome)
        if not outcomes:
            self.stdout.write("There is nothing to adopt.")
            return
        refused = sum(not outcome.is_taken for outcome in outcomes)
        self.stdout.write(f"{len(outcomes) - refused} {'would be taken' if dry_run else 'taken'}, {refused} not taken.")
        if refused:
            raise CommandError(
                "What could not be taken was left as it is; the reasons are above.", returncode=printing.REFUSED
            )

    def _print_outcome(self, outcome: Outcome) -> None:
        if outcome.is_taken:
            self.stdout.write(f"{outcome.id}: {outcome.text}")
        else:
            self.stdout.write(f"{outcome.id}: not taken. {outcome.text}")
