"""The differences between two definitions of a job, in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.core import triggers
from scheduler.errors import InvalidTrigger
from scheduler.untouched import json

_MOST_CHARS = 60
_EMPTY: tuple[Any, ...] = ("", None, [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs."""

    name: str
    """A field, or ``kwargs.`` and the name of one argument."""

    old: Any
    new: Any

    @property
    def texts(self) -> tuple[str, str]:
        """Both values on one line each, so short as they still differ, if they can."""
        if self.name == "trigger":
            return trigger_texts(self.old, self.new)
        return _text(self.old), _text(self.new)


def read(changes: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what a change holds: old and new value by field, arguments one by one."""
    found: list[Difference] = []
    for name in sorted(changes, key=_place):
        old, new = changes[name]
        if name == "trigger" and triggers.is_same(old, new):
            continue
        if name == "kwargs" and isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [
                Difference(name=f"kwargs.{key}", old=old.get(key), new=new.get(key))
                for key in sorted({*old, *new})
                if old.get(key) != new.get(key) or (key in old) != (key in new)
            ]
        else:
            found.append(Difference(name=name, old=old, new=new))
    return tuple(found)


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what differs between two definitions, of the fields that both have."""
    return read({name: (old[name], new[name]) for name in old if name in new and old[name] != new[name]})


def brief(differences: Iterable[Difference], *, most: int = 3) -> str:
    """``cron 0 2 * * * → cron 0 3 * * *, priority: 0 → 5``. Empty if they are equal."""
    found = list(differences)
    said = []
    for difference in found[:most]:
        old, new = difference.texts
        label = "" if difference.name == "trigger" else f"{difference.name.removeprefix('kwargs.')}: "
        said.append(f"{label}{old} → {new}")
    if len(found) > most:
        said.append(f"and {len(found) - most} more")
    return ", ".join(said)


def notation(trigger: Any) -> str:
    """The shortest form in which people write a trigger: ``cron 0 2 * * *``, else its words, or the JSON."""
    if isinstance(trigger, Mapping) and trigger.get("type") == "cron" and isinstance(trigger.get("expression"), str):
        return f"cron {trigger['expression']}"
    return in_words(trigger)


def trigger_texts(old: Any, new: Any) -> tuple[str, str]:
    """Two triggers in the shortest form in which they differ: notation, words or JSON."""
    for form in (notation, in_words):
        if form(old) != form(new):
            return form(old), form(new)
    return _json(old), _json(new)


def in_words(trigger: Any) -> str:
    """A trigger as its description, or as JSON if it cannot be read."""
    try:
        return triggers.describe(trigger)
    except (InvalidTrigger, TypeError, AttributeError):
        return _json(trigger)


def _place(name: str) -> tuple[bool, bool, str]:
    """When it fires first, then what it is given, then everything else by name."""
    return name != "trigger", name not in ("task", "args", "kwargs"), name


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value in _EMPTY:
        return "–"
    text = value if isinstance(value, str) else _json(value)
    line = " ".join(text.split())
    return f"{line[: _MOST_CHARS - 1]}…" if len(line) > _MOST_CHARS else line


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
