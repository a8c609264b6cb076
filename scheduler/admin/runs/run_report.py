"""A run as plain text, for a ticket or a chat."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from scheduler.admin.format import display
from scheduler.admin.runs.run_log import Line
from scheduler.models import Run

_LOG_LINES = 20


def write(
    run: Run, *, sentence: str, node: str, version: str, log: Sequence[Line], see_output: bool, address: str
) -> str:
    """Return what somebody needs who cannot open the page. Texts of people stay in their direction: marks are gone."""
    facts = {
        "Run": f"#{run.pk}, attempt {run.attempt}, {run.kind}",
        "Job": f"{display.first_line(run.job_name)} ({display.first_line(run.job_key)})",
        "Task": display.plain(run.task),
        "State": run.state,
        "Scheduled time": _instant(run.scheduled_at),
        "Started": _instant(run.started_at),
        "Finished": _instant(run.finished_at),
        "Node": f"{display.first_line(node)} (version {display.first_line(version)})"
        if version
        else display.first_line(node),
        "Executor": run.runs_on,
        "Page": address,
    }
    parts = [sentence, "\n".join(f"{name}: {value}" for name, value in facts.items() if value)]
    if see_output:
        arguments = {"args": run.args, "kwargs": run.kwargs}
        parts.append("Arguments: " + display.plain(json.dumps(display.masked(arguments), ensure_ascii=False)))
        if run.traceback:
            parts.append(display.plain(run.traceback).rstrip())
        if log:
            parts.append("\n".join(["Last lines of the log:", *(line.text for line in log[-_LOG_LINES:])]))
    return "\n\n".join(parts) + "\n"


def _instant(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
