"""Runs as a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import StreamingHttpResponse

from scheduler.admin.format import display
from scheduler.models import Run

_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """A file whose lines come back from writing them."""

    def write(self, text: str) -> str:
        return text


def file(rows: Iterable[Run]) -> StreamingHttpResponse:
    """Return a download of these runs."""
    response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="runs.csv"'
    return response


def _lines(rows: Iterable[Run]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    columns = (
        "id", "job_key", "job_name", "task", "state", "kind", "attempt", "scheduled_at", "started_at", "finished_at",
        "node", "executor", "requested_by", "reason", "error",
    )  # fmt: skip
    yield writer.writerow(columns)
    for run in rows:
        yield writer.writerow([_cell(getattr(run, column)) for column in columns])


def _cell(value: Any) -> str:
    """Quote cells that a spreadsheet would treat as a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = display.plain(str(value))
    return f"'{text}" if text.startswith(_FORMULAS) else text
