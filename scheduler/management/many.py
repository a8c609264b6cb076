"""One action on many rows at a shell: its progress, its refusals, and its end at Ctrl-C."""

from __future__ import annotations

from typing import Any

from scheduler.core.states import Via
from scheduler.management import printing
from scheduler.management.terminal import SafeOutput
from scheduler.models import BulkAction
from scheduler.services import bulk
from scheduler.services.bulk import Selection

_STEP_SECONDS = 0.5


def carry_out(
    *,
    subject: str,
    action: str,
    selection: Selection,
    err: SafeOutput,
    parameters: dict[str, Any] | None = None,
) -> BulkAction:
    """Act on all that is selected now. Ctrl-C stops after the rows at hand."""
    row = bulk.begin(
        subject=subject,
        action=action,
        selection=selection,
        parameters=parameters,
        actor=printing.actor(),
        via=Via.COMMAND,
    )
    try:
        while row.finished_at is None:
            row = bulk.step(id=row.pk, seconds=_STEP_SECONDS)
            if err.isatty():
                err.overwrite(f"{row.done + row.refused:,} of {row.total:,}")
    except KeyboardInterrupt:
        bulk.stop(id=row.pk)
        raise
    if err.isatty():
        printing.note(err, "")
    for each in row.refusals:
        printing.note(err, f"{each['id']}: {each['text']}")
    return row


def summary(row: BulkAction) -> dict[str, Any]:
    """Describe the end of an action, for ``--json``."""
    members = ("action", "total", "done", "refused")
    return {**{name: getattr(row, name) for name in members}, "refusals": bulk.refusals(row=row)}


def sentence(row: BulkAction) -> str:
    return f"{row.action}: {row.done:,} of {row.total:,} done, {row.refused:,} refused."
