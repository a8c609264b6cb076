from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import jobs, runs


class Command(SafeCommand):
    help = (
        "Queue the fire times of a past window that have no run, oldest first, at low priority. "
        "Exit code 0: done; 1: refused; 2: could not ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", help="The id of the job.")
        parser.add_argument(
            "--from",
            dest="since",
            required=True,
            type=printing.since,
            metavar="TIME",
            help="12h, 7d, or ISO 8601: 2027-03-01T00:00, in the zone of TIME_ZONE if it has no offset.",
        )
        parser.add_argument("--to", dest="until", type=printing.since, metavar="TIME", help="As --from. Default: now.")
        parser.add_argument(
            "--limit",
            type=printing.whole(least=1, most=1_000_000),
            default=10_000,
            metavar="N",
            help="Refuse more fire times than this. Default: 10,000.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Say what would be queued.")

    def handle(self, **options: Any) -> None:
        printing.guarded(lambda: self._backfill(**options))

    def _backfill(
        self, *, job: str, since: datetime, until: datetime | None, limit: int, dry_run: bool, **_: Any
    ) -> None:
        found = runs.backfill(
            job=jobs.get(id=job),
            since=since,
            until=timezone.now() if until is None else until,
            dry_run=dry_run,
            limit=limit,
            actor="backfill",
            progress=self._progress,
        )
        if self.stderr.isatty():
            printing.note(self.stderr, "")
        if not found.fire_times:
            self.stdout.write("Nothing to queue: the job has no fire time in the window.")
        elif not found.queued:
            self.stdout.write(f"Nothing to queue: each of the {found.fire_times:,} fire times in the window has a run.")
        else:
            verb = "Would queue" if dry_run else "Queued"
            self.stdout.write(
                f"{verb} {found.queued:,} of {found.fire_times:,} fire times, from {found.first} to {found.last}."
            )

    def _progress(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.overwrite(f"{done:,} of {total:,} fire times")
