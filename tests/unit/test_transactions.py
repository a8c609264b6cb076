"""Transactions are opened in one place, which sets what the statements rely on (docs/assumptions.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

KNOWN = {
    "scheduler/store/database.py": "the place",
    "scheduler/store/liveness/installation.py": "one row, by the alias of the nodes' sessions",
    "scheduler/models/job.py": "a savepoint around a save, below the store",
    "scheduler/compat/celery_beat.py": "a savepoint around a table that may be missing",
}


def opened() -> Iterator[str]:
    """Yield each module that calls Django's ``atomic``, under any of its names."""
    for package in ("scheduler", "openlearn"):
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            if "migrations" not in path.parts and _calls_atomic(ast.parse(path.read_text())):
                yield str(path.relative_to(CHECKOUT))


def _calls_atomic(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "django.db.transaction":
            return True
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "transaction.atomic":
            return True
    return False


def test_transactions_are_opened_by_the_one_place() -> None:
    assert set(opened()) == set(KNOWN)
