"""The SQL statements: one a file under ``sql/``, named like the call that runs it. Two may share a part: ``{name}``."""

from __future__ import annotations

import re
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from scheduler.store.run_columns import RUN_COLUMNS, RunColumn

_FOLDER = Path(__file__).parent / "sql"

_LISTS = {
    "columns_of_a_run": ", ".join(column.name for column in RUN_COLUMNS),
    **{way: ", ".join(getattr(column, way) for column in RUN_COLUMNS) for way in RunColumn._fields[1:]},
}
"""The lists of ``run_columns``, which statements name instead of writing them out."""

_PARAMETER = re.compile(r"%\((\w+)\)s")

_PLACE = re.compile(r"\{([a-z_]+)\}")


@cache
def load(name: str) -> str:
    """Return a statement without its comments, and with the lists of columns and the files that it names in braces."""
    text = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    statement = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip()
    return _PLACE.sub(lambda place: _LISTS.get(place[1]) or load(place[1]), statement)


class Planned(NamedTuple):
    """A statement that a session plans once: on indexes, as the plan is kept while the table grows."""

    prepare: str
    execute: str
    """Has the parameters of the statement, and is only for an open transaction."""


@cache
def planned(name: str) -> Planned:
    """
    Return a statement in two parts. Each of its parameters needs a cast where the server cannot infer its type.

    The name of the plan tells one text from another: nodes of two releases may share sessions of a pooler.
    """
    statement = load(name)
    plan = f"{name}_{zlib.crc32(statement.encode()):08x}"
    places = {parameter: f"${place}" for place, parameter in enumerate(dict.fromkeys(_PARAMETER.findall(statement)), 1)}
    return Planned(
        prepare=f"PREPARE {plan} AS {_PARAMETER.sub(lambda found: places[found[1]], statement)};",
        execute="SET LOCAL enable_seqscan = off;SET LOCAL enable_bitmapscan = off;"
        f"EXECUTE {plan} ({', '.join(f'%({parameter})s' for parameter in places)})",
    )


class Plans:
    """The statements that a session has planned."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self.are_kept = True
        """Not where a pooler in transaction mode leads to another session each time."""

    def sql(self, name: str) -> str:
        """Return a statement for execution: by the plan of the session, which is made first where it is missing."""
        if not self.are_kept:
            return load(name)
        parts, is_new = planned(name), name not in self._known
        self._known.add(name)
        return parts.prepare + parts.execute if is_new else parts.execute

    def forget(self) -> None:
        """Begin another session."""
        self._known.clear()
