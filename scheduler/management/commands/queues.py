from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser

from scheduler.errors import InvalidRetention
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import queues

_COLUMNS = ("name", "queued", "deferred", "running", "oldest_seconds", "finished_last_hour", "is_paused")
_BY_SETTING = "default"


class Command(SafeCommand):
    help = "Show, pause and resume queues, and set how long their runs are kept. Exit code 0: done; 1: refused."

    def add_arguments(self, parser: CommandParser) -> None:
        words = printing.words(parser)
        printing.add_output(words.add_parser("list", help="List the queues that are in use."))
        self._with_name(words.add_parser("show", help="Show a queue."))
        pause: CommandParser = words.add_parser("pause", help="Let no node begin a run of a queue.")
        self._with_name(pause)
        pause.add_argument("--reason", default="", metavar="TEXT", help="Why, for those who look at the queue.")
        pause.add_argument(
            "--until", type=printing.until, metavar="TIME", help="It goes on then: 2h, or ISO 8601. Default: never."
        )
        self._with_name(words.add_parser("resume", help="Let nodes begin runs of a queue again."))
        keep: CommandParser = words.add_parser("keep", help="Set how long enqueued runs of a queue are kept.")
        self._with_name(keep)
        for option, runs in (("--successes", "runs that succeeded"), ("--failures", "other runs")):
            keep.add_argument(
                option, metavar="DAYS", help=f"For {runs}. “{_BY_SETTING}”: as the settings say. Default: as before."
            )

    def _with_name(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        printing.add_output(parser)

    def handle(self, *, word: str, **options: Any) -> None:
        printing.guarded(lambda: getattr(self, f"_{word}")(**options))

    def _list(self, *, output: str, **_: Any) -> None:
        rows = [queues.represent(state=state) for state in queues.states()]
        self.stdout.write(printing.as_json(rows) if output == "json" else printing.table(rows=rows, columns=_COLUMNS))

    def _show(self, *, name: str, output: str, **_: Any) -> None:
        document = queues.represent(state=queues.state(name=name))
        self.stdout.write(printing.as_json(document) if output == "json" else printing.facts(document))

    def _pause(self, *, name: str, reason: str, until: datetime | None, output: str, **_: Any) -> None:
        queues.pause(name=name, actor=printing.actor(), reason=reason, until=until)
        self._show(name=name, output=output)

    def _resume(self, *, name: str, output: str, **_: Any) -> None:
        queues.resume(name=name, actor=printing.actor())
        self._show(name=name, output=output)

    def _keep(self, *, name: str, successes: str | None, failures: str | None, output: str, **_: Any) -> None:
        present = queues.state(name=name)
        queues.keep(
            name=name,
            successes_days=_days(successes, present.keep_successes_days),
            failures_days=_days(failures, present.keep_failures_days),
        )
        self._show(name=name, output=output)


def _days(given: str | None, present: float | None) -> float | None:
    """:raises InvalidRetention: it is neither a number nor “default”"""
    if given is None:
        return present
    if given == _BY_SETTING:
        return None
    try:
        return float(given)
    except ValueError:
        raise InvalidRetention(queues.retention_problem(given)) from None
