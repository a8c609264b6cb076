"""System checks: what only shows once all apps are loaded."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Warning

from scheduler import conf
from scheduler.core.queues import tracks
from scheduler.core.tasks.registry import NODE_EXECUTORS, registry
from scheduler.errors import Misconfigured, UnusableExecutor
from scheduler.remote import executors


def admin_base(**_facts: Any) -> list[CheckMessage]:
    """Refuse an ``ADMIN_BASE`` that cannot be used, by its value."""
    from scheduler.admin import foundation

    try:
        foundation.chosen(conf.get().admin_base)
    except Misconfigured as error:
        return [Error(str(error), id="scheduler.E001")]
    return []


def tasks(**_facts: Any) -> list[CheckMessage]:
    """Reject tasks that could never run: an argument that cannot be given, an executor that nodes do not have."""
    found: list[CheckMessage] = []
    for task in registry.all():
        is_required = {p.name for p in task.signature.parameters.values() if p.default is p.empty}
        for name, reason in sorted(task.odd_arguments.items()):
            sentence = f"The argument {name} of the task “{task.name}” cannot be given by a job: {reason}."
            kind, code = (Error, "scheduler.E006") if name in is_required else (Warning, "scheduler.W006")
            found.append(kind(sentence, hint="Take an id, a number, a text or another type that JSON has.", id=code))
        if tracks.is_remote(task.executor):
            try:
                executors.check(task.executor)
            except UnusableExecutor as error:
                found.append(Error(f"The task “{task.name}”: {error}", id="scheduler.E007"))
        elif task.executor not in NODE_EXECUTORS:
            names = ", ".join(sorted(NODE_EXECUTORS))
            sentence = f"The task “{task.name}” runs on the executor “{task.executor}”. Nodes have: {names}."
            found.append(Error(sentence, id="scheduler.E007"))
    return found


def project(**_facts: Any) -> list[CheckMessage]:
    """Refuse settings that the scheduler cannot work with, before a migration fails in its middle."""
    from scheduler.services import assumptions

    return [Error(refusal.sentence, id=refusal.code) for refusal in assumptions.of_project()]
