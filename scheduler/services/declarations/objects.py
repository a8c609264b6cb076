"""Declared calendars, templates and alert rules: planned and applied by the same three-way merge as jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from scheduler.core.declarations import REMOVED, DeclaredObject, OnConflict, is_older, merge
from scheduler.errors import SchedulerError
from scheduler.models import DeclaredObject as Row
from scheduler.services import transactions
from scheduler.services.declarations.object_kinds import KINDS
from scheduler.services.declarations.steps import Action, Options, Step
from scheduler.store.clock import database_now
from scheduler.store.jobs.authorship import Author
from scheduler.store.jobs.declared import lock

_STAY = ("calendar", "template")
"""Kinds whose objects stay as they are when they are no longer declared: others use them."""


def plan(*, declared: Iterable[DeclaredObject], options: Options, owner: str, release: str) -> tuple[Step, ...]:
    """Return one step for each declared object."""
    wanted = sorted(declared, key=lambda each: list(KINDS).index(each.kind))
    keys = [each.key for each in wanted]
    known = {(row.kind, row.key): row for row in Row.objects.filter(key__in=keys)}
    found = []
    for each in wanted:
        row = known.get((each.kind, each.key))
        facts: dict[str, Any] = {"key": each.key, "kind": each.kind, "source": each.source, "origin": each.origin}
        try:
            found.append(_step(each, row, options, {**facts, "owner": owner, "release": release}))
        except SchedulerError as error:
            found.append(Step(**facts, action=Action.REFUSED, text=error.message))
    return tuple(found)


def _step(declared: DeclaredObject, row: Row | None, options: Options, facts: dict[str, Any]) -> Step:
    owner, release = facts.pop("owner"), facts.pop("release")
    kind = KINDS[declared.kind]
    flat = kind.checked(key=declared.key, definition=declared.definition)
    stored = kind.stored(key=declared.key)
    facts["flat"] = flat
    if row is not None and row.owner != owner:
        return Step(**facts, action=Action.REFUSED, text=f"“{row.key}” belongs to {row.owner or row.source}.")
    if row is None and stored is not None and not options.adopt:
        text = f"“{declared.key}” exists already. “jobs apply --adopt” takes it over."
        return Step(**facts, action=Action.REFUSED, text=text)
    if row is not None and is_older(release, row.release) and not options.rollback:
        return Step(**facts, action=Action.NEWER, text=f"Release {row.release} declares it; this is {release}.")
    if stored is None and row is not None and not options.recreate:
        text = "It was deleted. “jobs apply --recreate” creates it again."
        return Step(**facts, action=Action.DELETED, text=text)
    if stored is None:
        return Step(**facts, action=Action.CREATE, write=flat)
    return _merged(declared, row, stored, options, facts)


def _merged(
    declared: DeclaredObject, row: Row | None, stored: dict[str, Any], options: Options, facts: dict[str, Any]
) -> Step:
    flat = facts["flat"]
    wins = OnConflict.DECLARED if options.overwrite else declared.on_conflict
    merged = merge(
        base=None if row is None else row.declared,
        declared=flat,
        stored=stored,
        default=lambda _name: REMOVED,
        is_same=lambda _name, one, other: bool(one == other),
        on_conflict=wins,
    )
    write = {name: flat[name] for name in merged.write}
    if options.overwrite:
        write |= {each.field: flat[each.field] for each in merged.drift}
    is_noted = row is not None and row.is_declared and (row.declared, row.source) == (flat, declared.source)
    is_current = is_noted and not write
    return Step(
        **facts,
        action=Action.ADOPT if row is None else Action.UNCHANGED if is_current else Action.UPDATE,
        write=write,
        before={name: stored.get(name) for name in write},
        drift=() if options.overwrite else merged.drift,
        conflicts=merged.conflicts,
    )


def apply(
    *, declared: Sequence[DeclaredObject], options: Options, owner: str, release: str, author: Author
) -> tuple[Step, ...]:
    """Carry out the plan of these objects in one transaction. A rejected one leaves the others alone."""
    if not declared:
        return ()
    with transactions.atomic():
        lock()
        steps = plan(declared=declared, options=options, owner=owner, release=release)
        return tuple(_carry_out(step, owner, release, author) for step in steps)


def _carry_out(step: Step, owner: str, release: str, author: Author) -> Step:
    if step.action not in (Action.CREATE, Action.ADOPT, Action.UPDATE):
        return step
    kind = KINDS[step.kind]
    try:
        with transactions.atomic():
            if step.action is Action.CREATE:
                kind.create(key=step.key, fields=step.flat, author=author)
            elif step.write:
                kind.change(key=step.key, changes=step.write, author=author)
            noted = {
                "source": step.source,
                "origin": step.origin[:255],
                "declared": step.flat,
                "owner": owner,
                "release": release,
                "is_declared": True,
                "synced_at": database_now(),
            }
            Row.objects.update_or_create(kind=step.kind, key=step.key, defaults=noted)
    except SchedulerError as error:
        return replace(step, action=Action.REFUSED, text=error.message)
    return step


def dropped(*, declared: Iterable[DeclaredObject], options: Options, owner: str, release: str) -> Iterator[Step]:
    """Return one step for each object that its source no longer declares."""
    present = {(each.kind, each.key) for each in declared}
    for row in Row.objects.filter(is_declared=True, owner=owner).order_by("kind", "key"):
        if (row.kind, row.key) in present:
            continue
        facts: dict[str, Any] = {"key": row.key, "kind": row.kind, "source": row.source, "origin": row.origin}
        if is_older(release, row.release) and not options.rollback:
            text = f"Release {row.release} declares it; this is {release}."
            yield Step(**facts, action=Action.NEWER, text=text)
        elif options.prune == "keep" or row.kind in _STAY:
            yield Step(**facts, action=Action.RELEASE, text="No longer declared; it stays as it is.")
        else:
            yield Step(**facts, action=Action.PAUSE, text="No longer declared; it is switched off.")


def drop(
    *, declared: Sequence[DeclaredObject], options: Options, owner: str, release: str, author: Author
) -> tuple[Step, ...]:
    """Retire what is no longer declared, and return the steps."""
    with transactions.atomic():
        lock()
        steps = tuple(dropped(declared=declared, options=options, owner=owner, release=release))
        for step in steps:
            if step.has_changes:
                row = Row.objects.get(kind=step.kind, key=step.key)
                if step.action is Action.PAUSE:
                    # As if the source had said so: declared again, it is what only the source changed.
                    row.declared = {**row.declared, **KINDS[step.kind].retire(key=step.key, author=author)}
                row.is_declared, row.release = False, release or row.release
                row.save(update_fields=["declared", "is_declared", "release"])
    return steps
