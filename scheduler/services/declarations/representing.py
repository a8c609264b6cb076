"""A synchronisation as JSON: the same for the command line and the API. Secrets are masked."""

from __future__ import annotations

from typing import Any

from scheduler import sealing
from scheduler.core.declarations import REMOVED
from scheduler.core.tasks.registry import registry
from scheduler.errors import UnknownTask
from scheduler.services import masking
from scheduler.services.declarations import Step, Synchronisation, next_runs
from scheduler.services.declarations.next_runs import NextRuns
from scheduler.services.queries.representations import instant


def document(found: Synchronisation) -> dict[str, Any]:
    """Return the steps of a plan, or of what was done."""
    return {
        "has_changes": found.has_changes,
        "steps": [_step(step, coming) for step, coming in zip(found.steps, next_runs.of(found.steps), strict=True)],
        "errors": [{"source": each.source, "origin": each.origin, "error": each.text} for each in found.errors],
    }


def _step(step: Step, coming: NextRuns | None) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "key": step.key,
        "action": step.action.value,
        "source": step.source,
        "origin": step.origin,
        "job": step.job or None,
        "changes": {
            name: {"old": shown(step, name, step.before.get(name, REMOVED)), "new": shown(step, name, value)}
            for name, value in step.written.items()
        },
        "next_runs": coming and {side: [instant(at) for at in times] for side, times in coming._asdict().items()},
        "drift": [
            {
                "field": each.field,
                "declared": shown(step, each.field, each.declared),
                "stored": shown(step, each.field, each.stored),
            }
            for each in step.drift
        ],
        "conflicts": list(step.conflicts),
        "renamed_from": step.renames or None,
        "resumes": step.resumes,
        "text": step.text,
    }


def shown(step: Step, name: str, value: Any) -> Any:
    """Return a value of a step as people may see it. ``None`` where there is none."""
    if value is REMOVED:
        return None
    if name.startswith("kwargs.") and name.removeprefix("kwargs.") in _secrets(step):
        return masking.MASK
    return masking.MASK if sealing.is_sealed(value) else value


def _secrets(step: Step) -> frozenset[str]:
    task = step.flat.get("task")
    try:
        return registry.get(task).secrets if task else frozenset()
    except UnknownTask:
        return frozenset()
