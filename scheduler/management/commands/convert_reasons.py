from __future__ import annotations

from typing import Any

from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import reason_conversion


class Command(SafeCommand):
    help = (
        "Give the reasons that earlier releases stored as English text their codes, so that they can be filtered and "
        "translated. Run it once all nodes and web processes are of this release; nodes go on meanwhile."
    )

    def handle(self, **options: Any) -> None:
        printing.guarded(self._convert)

    def _convert(self) -> None:
        converted = reason_conversion.convert(progress=self._show)
        self.stdout.write(
            f"Converted the reasons of {converted.runs:,} runs, {converted.jobs:,} jobs and {converted.nodes:,} nodes."
        )

    def _show(self, number: int) -> None:
        if number % 100_000 == 0:
            printing.note(self.stderr, f"{number:,} rows so far …")
