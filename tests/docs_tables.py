"""
The tables in the docs that come from the code.

``python -m tests.docs_tables`` writes them anew (``make tables``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from scheduler.core.definition import FIELDS, Field, Kind, Source
from scheduler.telemetry.events import EVENTS, Event

DOCS = Path(__file__).resolve().parents[1] / "docs"
_FROM = {Source.TASK: "the task's", Source.SETTINGS: "the setting's"}


def job_fields() -> str:
    """Return the table of what a job is made of."""
    rows = ["| field | type | default | allowed | meaning |", "|---|---|---|---|---|"]
    rows += [
        f"| `{field.name}` | {field.kind} | {_default(field)} | {_allowed(field)} | {field.help or field.label} |"
        for field in FIELDS
    ]
    return "\n".join(rows)


def _default(field: Field) -> str:
    if field.default_from is not None:
        return f"{_FROM[field.default_from]} ({_shown(field)})"
    return _shown(field)


def _shown(field: Field) -> str:
    if field.kind is Kind.JSON or field.default == "":
        return "required" if field.default is None else "empty"
    if field.default is None:
        return "empty" if field.may_be_empty else "required"
    return f"`{str(field.default).lower()}`"


def _allowed(field: Field) -> str:
    parts = []
    if field.low is not None and field.high is not None:
        parts.append(f"{field.low:,} to {field.high:,}")
    if field.choices:
        parts.append(" or ".join(f"`{choice}`" for choice in field.choices))
    if field.max_length is not None and not field.choices:
        parts.append(f"up to {field.max_length} characters")
    return ", ".join([*parts, *(["empty"] if field.may_be_empty else [])])


def log_events() -> str:
    """Return the table of what is logged."""
    rows = ["| event | level | fields | meaning |", "|---|---|---|---|"]
    rows += [
        f"| `{event}` | {_levels(event)} | {', '.join(f'`{name}`' for name in event.fields)} | {event.meaning} |"
        for event in EVENTS
    ]
    return "\n".join(rows)


def _levels(event: Event) -> str:
    return " or ".join("error, traceback" if level == "exception" else level for level in event.levels)


PAGES: dict[Path, tuple[str, Callable[[], str]]] = {
    DOCS / "jobs.md": ("job fields", job_fields),
    DOCS / "operations.md": ("log events", log_events),
}
"""Each page with the name of its table, which stands between two comments, and what writes it."""


def written(page: Path) -> str:
    """Return the page as it should be."""
    name, table = PAGES[page]
    return re.sub(
        rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)",
        lambda found: found[1] + table() + found[2],
        page.read_text(),
        flags=re.DOTALL,
    )


def stale() -> list[str]:
    """Return the pages whose table is not what the code says."""
    return [page.name for page in PAGES if written(page) != page.read_text()]


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page))
