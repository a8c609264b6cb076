"""The SQL statements: one a file under ``sql/``, named like the call that runs it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from scheduler.store.run_columns import written_out

_FOLDER = Path(__file__).parent / "sql"


@cache
def load(name: str) -> str:
    """Return a statement without its comments."""
    text = (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
    return written_out("\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--")).strip())
