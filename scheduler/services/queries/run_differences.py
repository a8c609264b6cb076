"""The differences between two runs of a job, as the runs recorded them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.models import Run
from scheduler.services.queries.run_queries import NodeSeen

_MISSING = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    what: str
    """``task``, ``kind``, ``executor``, ``version``, ``node``, ``timeout`` or, with ``name``, an ``argument``."""

    before: Any
    after: Any
    name: str = ""
    was_missing: bool = False
    is_missing: bool = False


def between(*, before: Run, after: Run, nodes: Mapping[str, NodeSeen]) -> list[Difference]:
    """Return the differences. Arguments are as stored, with encrypted secrets."""
    found = [
        Difference(what=column, before=getattr(before, column), after=getattr(after, column))
        for column in ("task", "kind", "executor", "timeout")
        if getattr(before, column) != getattr(after, column)
    ]
    there, here = nodes.get(str(before.node)), nodes.get(str(after.node))
    if there is not None and here is not None:
        if there.version != here.version:
            found.append(Difference(what="version", before=there.version, after=here.version))
        if there.name != here.name:
            found.append(Difference(what="node", before=there.name, after=here.name))
    return [*found, *_arguments(before, after)]


def _arguments(before: Run, after: Run) -> list[Difference]:
    old, new = _by_name(before), _by_name(after)
    return [
        Difference(
            what="argument",
            name=name,
            before=old.get(name),
            after=new.get(name),
            was_missing=name not in old,
            is_missing=name not in new,
        )
        for name in dict.fromkeys([*old, *new])
        if old.get(name, _MISSING) != new.get(name, _MISSING)
    ]


def _by_name(run: Run) -> dict[str, Any]:
    """The arguments by name or place. Raw SQL may have written anything."""
    args = run.args if isinstance(run.args, list) else []
    kwargs = run.kwargs if isinstance(run.kwargs, dict) else {}
    return {**{str(place + 1): value for place, value in enumerate(args)}, **kwargs}
