"""How much a statement reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scheduler.store import statements
from scheduler.store.sessions.connections import Connection


def blocks(session: Connection, statement: str, *, scan_of: str = "", **parameters: Any) -> int:
    """Return how many blocks a statement reads; with ``scan_of``, those of the scan of that alias alone."""
    with session.raw().cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statements.load(statement), parameters)
        ((found,),) = cursor.fetchall()
    plan = next(each for each in nodes_of(found[0]["Plan"]) if not scan_of or each.get("Alias") == scan_of)
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)
