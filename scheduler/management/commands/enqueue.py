from __future__ import annotations

import time
import uuid
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser

from scheduler.core.queues import tracks
from scheduler.core.states import RunState
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.models import Run
from scheduler.services.queries import representations
from scheduler.services.runs import enqueueing

_PAUSE_SECONDS = 0.1


class Command(SafeCommand):
    help = (
        "Enqueue a run of a task. Exit code 0: it is enqueued and, with --wait, was successful; 1: refused, or not "
        "successful; 2: could not ask."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("task", help="The name of the task: “manage.py tasks list” has all.")
        parser.add_argument("--kwargs", default="{}", metavar="JSON", help="Arguments by name, as a JSON object.")
        parser.add_argument("--queue", default=tracks.DEFAULT_QUEUE, metavar="NAME", help="Default: default.")
        parser.add_argument(
            "--priority", type=int, default=0, metavar="N", help="From -100 to 100; the highest begins first."
        )
        parser.add_argument(
            "--after", type=printing.until, metavar="TIME", help="Begin then or later: 2h, or ISO 8601."
        )
        parser.add_argument(
            "--wait",
            nargs="?",
            type=printing.seconds,
            const=3600.0,
            metavar="SECONDS",
            help="Wait until it has ended, further attempts included. Without a number: an hour.",
        )
        printing.add_output(parser)

    def handle(self, **options: Any) -> None:
        printing.guarded(lambda: self._enqueue(**options))

    def _enqueue(
        self,
        *,
        task: str,
        kwargs: str,
        queue: str,
        priority: int,
        after: datetime | None,
        wait: float | None,
        output: str,
        **_: Any,
    ) -> None:
        answer = enqueueing.enqueue(
            task=task,
            kwargs=printing.json_object(kwargs, option="--kwargs"),
            queue=queue,
            priority=priority,
            run_after=after,
            actor=printing.actor(),
        )
        run = self._last(answer.public_id) if wait is None else self._await(answer.public_id, seconds=wait)
        document = representations.run(row=run, nodes={})
        self.stdout.write(printing.as_json(document) if output == "json" else printing.facts(document))
        if wait is not None and run.state not in (RunState.SUCCEEDED, RunState.SKIPPED):
            raise CommandError(f"The run has not succeeded: it is {run.state}.", returncode=printing.REFUSED)

    def _last(self, public_id: uuid.UUID) -> Run:
        return enqueueing.attempts(public_id=public_id)[-1]

    def _await(self, public_id: uuid.UUID, *, seconds: float) -> Run:
        """Return the last attempt when it has ended, or as it is after so many seconds."""
        ends_at = time.monotonic() + seconds
        run = self._last(public_id)
        while run.finished_at is None and time.monotonic() < ends_at:
            time.sleep(_PAUSE_SECONDS)
            run = self._last(public_id)
        return run
