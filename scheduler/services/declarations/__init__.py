"""
Declared jobs: definitions in code and files, synchronised into the table of jobs.

``plan`` reports what a synchronisation would change. ``apply`` carries it out. A person's edit is never overwritten
unless the declaration asks for it, a deleted job stays deleted, and a job that disappears from its source is paused.
The rules are in ``scheduler.core.declarations``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scheduler import conf
from scheduler.core import reasons, triggers
from scheduler.core.states import Via
from scheduler.services.declarations import applying, objects, planning
from scheduler.services.declarations.collecting import Collected, LoadError, collect
from scheduler.services.declarations.drifting import drift, drifted_jobs, keep, kept, of_job, take
from scheduler.services.declarations.instancing import with_instances
from scheduler.services.declarations.steps import Action, Options, Step
from scheduler.store.jobs.authorship import Author

__all__ = [
    "Action",
    "Options",
    "Step",
    "Synchronisation",
    "apply",
    "collect",
    "drift",
    "drifted_jobs",
    "keep",
    "kept",
    "of_job",
    "plan",
    "take",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Synchronisation:
    """The steps of a plan, or of what was done."""

    steps: tuple[Step, ...]
    errors: tuple[LoadError, ...]
    """Errors while reading. As long as one exists, jobs never count as dropped."""

    @property
    def has_changes(self) -> bool:
        return any(step.has_changes for step in self.steps)

    @property
    def is_refused(self) -> bool:
        return bool(self.errors) or any(step.action is Action.REFUSED for step in self.steps)


def plan(*, options: Options = Options(), collected: Collected | None = None) -> Synchronisation:  # noqa: B008
    """Return what ``apply`` would do now, without doing it."""
    collected = collected or collect()
    about: dict[str, Any] = {"options": options, "owner": collected.owner, "release": release_of(collected.owner)}
    steps = list(objects.plan(declared=collected.objects, **about))
    collected = with_instances(collected, steps=steps)
    keys = frozenset(declaration.key for declaration in collected.declarations)
    with triggers.parsing_once():
        steps += planning.decide(declarations=collected.declarations, keys=keys, options=options)
    steps = list(planning.with_known_calendars(steps))
    if collected.is_complete and not collected.errors:
        steps += planning.dropped(declarations=collected.declarations, options=options, owner=collected.owner)
        steps += objects.dropped(declared=collected.objects, **about)
    return Synchronisation(steps=tuple(steps), errors=collected.errors)


def release_of(owner: str) -> str:
    """Return the release that synchronises for an owner: only the deployment has one."""
    return "" if owner else conf.get().release


def apply(
    *,
    options: Options = Options(),  # noqa: B008
    collected: Collected | None = None,
    actor: str = "",
    via: Via | str = Via.CODE,
    reason: str = "",
    on_step: Callable[[Step], None] | None = None,
) -> Synchronisation:
    """
    Bring the jobs to what code and files declare, and return what was done.

    It is idempotent. ``on_step`` is called after each batch with its steps.
    """
    collected = collected or collect()
    release = conf.get().release
    reason = reason or (reasons.DECLARED_IN(release=release) if release else reasons.DECLARED_AGAIN())
    author = Author(actor=actor, via=Via(via), reason=reason)
    about: dict[str, Any] = {"options": options, "owner": collected.owner, "release": release_of(collected.owner)}
    steps = objects.apply(declared=collected.objects, author=author, **about)
    collected = with_instances(collected)
    steps += applying.apply(collected=collected, options=options, author=author, on_step=on_step)
    if collected.is_complete and not collected.errors:
        steps += objects.drop(declared=collected.objects, author=author, **about)
    return Synchronisation(steps=steps, errors=collected.errors)
