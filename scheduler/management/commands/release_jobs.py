from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from scheduler.compat import release
from scheduler.compat.release import Released
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand


class Command(SafeCommand):
    help = (
        "Write the jobs so that stock django-apscheduler goes on with them: before the scheduler is taken out of a "
        "project. Stop all nodes first. Exit code 0: done; 1: a node runs; 2: could not ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only tell what would be written.")

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        printing.guarded(lambda: self._release(dry_run=dry_run))

    def _release(self, *, dry_run: bool) -> None:
        found = release.release(dry_run=dry_run, on_released=self._print_released)
        parked = sum(released.is_parked for released in found)
        written = "would go on" if dry_run else "go on"
        self.stdout.write(f"{len(found) - parked} {written} under stock django-apscheduler, {parked} parked.")

    def _print_released(self, released: Released) -> None:
        words = f"parked: {released.text}" if released.is_parked else f"goes on {released.text}".rstrip()
        self.stdout.write(f"{released.id}: {words}")
