"""
The tables in the docs that come from the code, and the schema of files of declarations.

``python -m tests.docs_tables`` writes them anew (``make tables``).
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import scheduler
from scheduler.conf import SchedulerSettings
from scheduler.context import CurrentRun
from scheduler.core.definition import FIELDS, Field, Kind, Source
from scheduler.core.triggers import next_fire_times
from scheduler.telemetry.events import EVENTS, Event

DOCS = Path(__file__).resolve().parents[1] / "docs"
FILES_SCHEMA = DOCS / "jobs-file.schema.json"
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


def settings() -> str:
    """Return the table of the keys of ``settings.SCHEDULER``, from the fields of ``scheduler/conf.py``."""
    body = ast.parse(inspect.getsource(SchedulerSettings)).body[0]
    assert isinstance(body, ast.ClassDef)
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for field, text in pairwise(body.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            default = getattr(SchedulerSettings(), field.target.id)
            meaning = " ".join(ast.literal_eval(text.value).replace("``", "`").split())
            type_ = ast.unparse(field.annotation).replace("|", "or")
            rows.append(f"| `{field.target.id.upper()}` | {type_} | `{default!r}` | {meaning} |")
    return "\n".join(rows)


def python_api() -> str:
    """Return the signatures and docstrings of the functions that a project calls."""
    from scheduler.services import jobs, runs
    from scheduler.services.runs import waiting

    functions = [getattr(scheduler, name) for name in ("task", "schedule", "current_run")]
    functions += [getattr(CurrentRun, name) for name in ("raise_if_stopping", "progress")]
    functions += [getattr(jobs, name) for name in _JOBS]
    functions += [runs.get, runs.cancel, runs.retry, runs.backfill, waiting.until_finished, next_fire_times]
    return "\n\n".join(_function(function) for function in functions)


_JOBS = ("get", "create", "update", "pause", "resume", "run_now", "remove")


def _function(function: Callable[..., Any]) -> str:
    module = function.__module__
    public = "scheduler" if getattr(scheduler, function.__name__, None) is function else module
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    result = "" if tree.returns is None else f" -> {ast.unparse(tree.returns)}"
    arguments = ast.unparse(tree.args)
    if len(arguments) > 80:
        arguments = "\n    " + arguments.replace(", ", ",\n    ").replace("[str,\n    Any]", "[str, Any]") + "\n"
    documentation = (inspect.getdoc(function) or "").replace("``", "`").replace(":raises ", "Raises ")
    return (
        f"### `{public}.{function.__qualname__}`\n\n"
        f"```python\ndef {function.__name__}({arguments}){result}\n```\n\n{documentation}"
    )


PAGES: dict[Path, tuple[tuple[str, Callable[[], str]], ...]] = {
    DOCS / "jobs.md": (("job fields", job_fields),),
    DOCS / "operations.md": (("log events", log_events),),
    DOCS / "reference.md": (("python api", python_api), ("settings", settings)),
}
"""Each page with the names of its generated parts, which stand between two comments, and what writes them."""


def written(page: Path) -> str:
    """Return the page as it should be."""
    text = page.read_text()
    for name, table in PAGES[page]:
        part = table()
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)",
            lambda found, part=part: f"{found[1]}{part}\n{found[2]}",  # type: ignore[misc]
            text,
            flags=re.DOTALL,
        )
    return text


def stale() -> list[str]:
    """Return the pages whose table is not what the code says."""
    return [page.name for page in PAGES if written(page) != page.read_text()]


if __name__ == "__main__":
    import django

    django.setup()
    from scheduler.services.declarations import files

    for page in PAGES:
        page.write_text(written(page))
    FILES_SCHEMA.write_text(json.dumps(files.schema(), indent=2) + "\n")
