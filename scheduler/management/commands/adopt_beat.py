from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.compat import celery_beat
from scheduler.compat.celery_beat import Taken
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand


class Command(SafeCommand):
    help = (
        "Make a job of each periodic task in the tables of django-celery-beat, which are not changed. "
        "Stop Celery beat before, so that tasks are not sent twice. Exit code 1: some cannot become jobs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Show what would be done.")

    def handle(self, *, dry_run: bool, **_options: Any) -> None:
        printing.guarded(lambda: self._adopt(dry_run=dry_run))

    def _adopt(self, *, dry_run: bool) -> None:
        found = celery_beat.adopt(dry_run=dry_run, actor="adopt_beat", on_taken=self._print_taken)
        taken = sum(each.is_taken for each in found)
        would = "would be taken over" if dry_run else "taken over"
        self.stdout.write(f"{taken:,} of {len(found):,} {would}.")
        if taken + sum(each.exists for each in found) < len(found):
            raise CommandError("Some cannot become jobs; each line says why.", returncode=printing.REFUSED)

    def _print_taken(self, taken: Taken) -> None:
        sign = "+" if taken.is_taken else "=" if taken.exists else "!"
        paint = {"+": self.style.SUCCESS, "!": self.style.WARNING}.get(sign, str)
        self.stdout.write(f"{sign} {taken.name}: {taken.text}", paint)
