from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from scheduler.errors import SchedulerError
from scheduler.services import jobs, runs


class Command(BaseCommand):
    help = "Queue the fire times of a past window that have no run, oldest first, at low priority."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", help="The id of the job.")
        parser.add_argument("--from", dest="since", required=True, metavar="TIME", help="ISO 8601: 2027-03-01T00:00.")
        parser.add_argument("--to", dest="until", metavar="TIME", help="ISO 8601; default: now.")
        parser.add_argument("--limit", type=int, default=10_000, metavar="N", help="Refuse more fire times than this.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be queued.")

    def handle(self, *, job: str, since: str, until: str | None, limit: int, dry_run: bool, **options: Any) -> str:
        def show(done: int) -> None:
            if self.stderr.isatty():
                self.stderr.write(f"\r{done:,} fire times looked at", ending="")

        try:
            found = runs.backfill(
                job=jobs.get(id=job),
                since=_instant(since, "--from"),
                until=timezone.now() if until is None else _instant(until, "--to"),
                dry_run=dry_run,
                limit=limit,
                actor="backfill",
                progress=show,
            )
        except SchedulerError as error:
            raise CommandError(str(error)) from None
        if self.stderr.isatty():
            self.stderr.write("")
        if not found.queued:
            return f"Nothing to queue: each of the {found.fire_times:,} fire times in the window has a run."
        verb = "Would queue" if dry_run else "Queued"
        return f"{verb} {found.queued:,} of {found.fire_times:,} fire times, from {found.first} to {found.last}."


def _instant(text: str, option: str) -> datetime:
    try:
        found = parse_datetime(text if "T" in text or " " in text else f"{text}T00:00")
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{option} “{text}” is not a time. Write it as 2027-03-01T00:00 or 2027-03-01T00:00+01:00.")
    return timezone.make_aware(found) if timezone.is_naive(found) else found
