"""The plan of a synchronisation as rows for a page: each job with its old and new values, and what stays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import addresses
from scheduler.admin.changes import change_text
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.core.declarations import REMOVED
from scheduler.core.jobs.differences import Difference
from scheduler.core.tasks.registry import registry
from scheduler.errors import SchedulerError
from scheduler.services import masking
from scheduler.services.declarations import Action, Step, Synchronisation, next_runs
from scheduler.services.declarations.next_runs import NextRuns

MOST_ROWS = 200

ACTIONS = {
    Action.CREATE: gettext_lazy("is created"),
    Action.ADOPT: gettext_lazy("is taken over"),
    Action.UPDATE: gettext_lazy("is changed"),
    Action.UNCHANGED: gettext_lazy("stays as it is"),
    Action.PAUSE: gettext_lazy("is paused: it is no longer in the rows"),
    Action.RELEASE: gettext_lazy("continues as an ordinary job"),
    Action.DELETED: gettext_lazy("was deleted by a person and stays deleted"),
    Action.NEWER: gettext_lazy("is declared by a newer release"),
    Action.REFUSED: gettext_lazy("is rejected"),
}


def context(found: Synchronisation) -> dict[str, Any]:
    """Return what a page shows of a plan: the rows that change or drift, counts, and what could not be read."""
    now = timezone.now()
    shown = [step for step in found.steps if step.action is not Action.UNCHANGED or step.drift]
    first = shown[:MOST_ROWS]
    return {
        "plan_rows": [_row(step, coming, now=now) for step, coming in zip(first, next_runs.of(first), strict=True)],
        "plan_more": max(len(shown) - MOST_ROWS, 0),
        "plan_errors": [f"{error.origin}: {told(error.text)}" for error in found.errors],
        "plan_counts": _counts(found.steps),
        "has_changes": found.has_changes,
    }


def _row(step: Step, coming: NextRuns | None, *, now: datetime) -> dict[str, Any]:
    write = [(name, step.before.get(name, REMOVED), value) for name, value in step.write.items()]
    return {
        "key": step.key,
        "address": addresses.job(step.job) if step.job else "",
        "action": ACTIONS[step.action],
        "is_bad": step.action is Action.REFUSED,
        "text": told(step.text),
        "changes": [difference(step.flat.get("task", ""), name, old, new, now=now) for name, old, new in write],
        "drift": [
            difference(step.flat.get("task", ""), each.field, each.declared, each.stored, now=now)
            for each in step.drift
        ],
        "times": coming,
    }


def difference(task: str, name: str, old: Any, new: Any, *, now: datetime) -> dict[str, Any]:
    """Return one field with both values for a person. Secrets are masked."""
    if name.startswith("kwargs.") and name.removeprefix("kwargs.") in _secrets(task):
        old, new = masking.MASK, masking.MASK
    plain = Difference(name=name, old=None if old is REMOVED else old, new=None if new is REMOVED else new)
    return change_text.difference(plain, now=now)


def _secrets(task: str) -> frozenset[str]:
    try:
        return registry.get(task).secrets if task else frozenset()
    except SchedulerError:
        return frozenset()


def _counts(steps: Iterable[Step]) -> list[dict[str, Any]]:
    counts: dict[Action, int] = {}
    for step in steps:
        counts[step.action] = counts.get(step.action, 0) + 1
    return [{"number": counts[action], "text": ACTIONS[action]} for action in Action if action in counts]


def sentence(done: Synchronisation) -> str:
    """Return what was done, for the message above the next page."""
    parts = [f"{each['text']}: {display.number(each['number'])}" for each in _counts(done.steps)]
    return ", ".join(parts) or _("No changes were necessary.")
