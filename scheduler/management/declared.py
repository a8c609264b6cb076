"""``manage.py jobs plan`` and ``jobs apply``: declared jobs at a shell and in a pipeline."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper
from django.core.management.color import Style
from django.utils import timezone

from scheduler import conf
from scheduler.core.declarations import REMOVED
from scheduler.core.jobs import differences
from scheduler.core.states import Via
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.services import declarations
from scheduler.services.declarations import Action, Options, Step, Synchronisation, next_runs, representing
from scheduler.services.declarations.next_runs import NextRuns

_SIGNS = {
    Action.CREATE: "+",
    Action.ADOPT: "+",
    Action.UPDATE: "~",
    Action.PAUSE: "-",
    Action.RELEASE: "-",
    Action.REFUSED: "!",
    Action.DELETED: "!",
    Action.NEWER: "!",
    Action.UNCHANGED: " ",
}


class PlanningCommand(SafeCommand):
    """A command with words that plan. Their exit code 2 means changes, so wrong usage of them exits with 1."""

    _is_understood = False

    def is_plan(self, argv: Sequence[str]) -> bool:
        """Return whether the arguments ask for a plan. They may be wrong otherwise."""
        raise NotImplementedError

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as left:
            if left.code == printing.NOT_ASKED and not self._is_understood and self.is_plan(argv):
                sys.exit(printing.REFUSED)
            raise

    def execute(self, *args: Any, **options: Any) -> str | None:
        self._is_understood = True
        return super().execute(*args, **options)


def add_arguments(parser: CommandParser, *, applies: bool) -> None:
    """Add the options that plan and apply share, so that a plan shows what the same apply does."""
    parser.add_argument(
        "--prune",
        choices=("pause", "keep"),
        default="pause",
        help="Jobs that are no longer declared: pause them (default), or keep them as ordinary jobs.",
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="Take over jobs that exist: with the same id, or the same task, arguments and trigger.",
    )
    parser.add_argument("--recreate", action="store_true", help="Create declared jobs again that a person deleted.")
    parser.add_argument("--rollback", action="store_true", help="Let this release win over a newer one.")
    parser.add_argument("--json", action="store_true", dest="as_json", help="Print the steps as JSON.")
    if not applies:
        parser.epilog = "Exit code 0: up to date; 2: there are changes; 1: anything else."


def options(given: dict[str, Any]) -> Options:
    return Options(**{name: given[name] for name in ("prune", "adopt", "recreate", "rollback")})


def plan(given: dict[str, Any], *, out: OutputWrapper, err: OutputWrapper, style: Style) -> None:
    """Print the plan and leave with an exit code that tells a pipeline whether there is something to apply."""
    found = declarations.plan(options=options(given))
    report(found, as_json=given["as_json"], out=out, err=err, style=style)
    refuse(found)
    if found.has_changes:
        raise printing.Changes("“manage.py jobs apply” carries them out.")


def apply(given: dict[str, Any], *, actor: str, out: OutputWrapper, err: OutputWrapper, style: Style) -> None:
    """Carry the plan out and print what was done."""
    done = declarations.apply(options=options(given), actor=actor, via=Via.COMMAND)
    report(done, as_json=given["as_json"], out=out, err=err, style=style)
    refuse(done)


def apply_at_start(*, out: OutputWrapper, style: Style) -> None:
    """Synchronise before a node starts, and report what was done or refused."""
    done = declarations.apply(options=Options(), via=Via.COMMAND)
    report(done, as_json=False, out=out, err=out, style=style)
    if done.has_changes and not conf.get().release:
        text = "SCHEDULER['RELEASE'] is not set: a node of an older release that starts undoes this."
        out.write(text, style.WARNING)


def refuse(found: Synchronisation) -> None:
    if found.is_refused:
        raise CommandError("Not every declaration can be used.", returncode=printing.REFUSED)


def report(found: Synchronisation, *, as_json: bool, out: OutputWrapper, err: OutputWrapper, style: Style) -> None:
    """Print the steps of a plan, or of what was done."""
    for error in found.errors:
        where = "" if error.text.startswith(error.origin) else f"{error.origin}: "
        err.write(f"! {where}{error.text}", style.ERROR)
    if found.errors:
        text = "Jobs that are no longer declared are left alone until every source can be read."
        err.write(text, style.WARNING)
    if as_json:
        out.write(printing.as_json(representing.document(found)))
        return
    for step, coming in zip(found.steps, next_runs.of(found.steps), strict=True):
        for line in _lines(step, coming):
            out.write(line, _paint(step, style) if not line.startswith(" ") else None)
    out.write(_summary(found.steps))


def _paint(step: Step, style: Style) -> Callable[[str], str]:
    """Return the colour of the first line about a step."""
    paints = {"+": style.SUCCESS, "~": style.WARNING, "-": style.WARNING, "!": style.ERROR}
    return paints.get(_SIGNS[step.action], str)


def _lines(step: Step, coming: NextRuns | None) -> Iterable[str]:
    if step.action is Action.UNCHANGED and not step.drift:
        return
    origin = f"  ({step.origin})" if step.origin else ""
    kind = "" if step.kind == "job" else f"{step.kind.replace('_', ' ')} "
    yield f"{_SIGNS[step.action]} {kind}{step.key}: {step.action.value}{origin}"
    if step.text:
        yield f"    {step.text}"
    if step.renames:
        yield f"    renamed from {step.renames}"
    if step.resumes:
        yield "    resumed: it is declared again"
    yield from _new_lines(step, coming) if step.action is Action.CREATE else _changed_lines(step, coming)


def _new_lines(step: Step, coming: NextRuns | None) -> Iterable[str]:
    for name, value in step.written.items():
        for part, _, new in _parts(step, name, REMOVED, value):
            if new not in ("", None, [], {}):
                yield f"    {part}: {_text(step, part, new)}"
    if coming is not None:
        yield f"    next runs: {_times(coming.after)}"


def _changed_lines(step: Step, coming: NextRuns | None) -> Iterable[str]:
    for name, value in step.write.items():
        for part, before, after in _parts(step, name, step.before.get(name, REMOVED), value):
            old, new = _texts(step, part, before, after)
            yield f"    {part}: {old} → {new}"
    if coming is not None:
        yield f"    next runs: {_times(coming.before)} → {_times(coming.after)}"
    for each in step.drift:
        conflict = ", and the declaration changed too" if each.field in step.conflicts else ""
        for part, mine, theirs in _parts(step, each.field, each.stored, each.declared):
            stored, declared = _texts(step, part, mine, theirs)
            yield f"    {part}: {stored} was set by a person and stays; declared is {declared}{conflict}"


def _parts(step: Step, name: str, old: Any, new: Any) -> Iterable[tuple[str, Any, Any]]:
    """Yield name and values of what differs: the definition of a template member by member, all else as a whole."""
    if step.kind == "job" or not isinstance(new, Mapping):
        yield name, old, new
        return
    before = old if isinstance(old, Mapping) else {}
    for key in {**before, **new}:
        one, other = before.get(key, REMOVED), new.get(key, REMOVED)
        if one != other:
            yield from _parts(step, f"{name}.{key}", one, other)


def _times(times: Sequence[datetime]) -> str:
    """Return fire times on the clock of the project."""
    return ", ".join(f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S%z}" for at in times) or "–"


def _texts(step: Step, name: str, old: Any, new: Any) -> tuple[str, str]:
    """Return two values of a field that differ, each on one line."""
    if name == "trigger" and REMOVED not in (old, new):
        return differences.trigger_texts(old, new)
    return _text(step, name, old), _text(step, name, new)


def _text(step: Step, name: str, value: Any) -> str:
    """Return a value on one line."""
    if value is REMOVED:
        return "–"
    shown = representing.shown(step, name, value)
    if name == "trigger":
        return differences.in_words(shown)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, default=str)


def _summary(steps: Iterable[Step]) -> str:
    counts = Counter(step.action for step in steps)
    if not counts:
        return "No job is declared. Put @schedule above a task, or name files in SCHEDULER['DECLARATIONS']."
    return ", ".join(f"{counts[action]:,} {action.value}" for action in Action if counts[action]) + "."
