"""Results of succeeded runs in lists: one line for each, without what is empty."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest

from scheduler.admin.format import display
from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.services.queries import overview
from scheduler.services.queries.overview import Recent

_MOST = 100
"""Characters of a line."""


def sees_output(request: HttpRequest) -> bool:
    """Return whether the reader may see results, and search arguments and logs: a search tells what they hold."""
    return bool(request.user.has_perm("scheduler.view_run_output"))


def in_list(request: HttpRequest, runs: Iterable[Run | Recent]) -> dict[int, str]:
    """Return the results of those that succeeded, by run, for readers who may see output."""
    if not sees_output(request):
        return {}
    found = overview.results(runs=[run.id for run in runs if run.state == RunState.SUCCEEDED])
    return {run: line(result) for run, result in found.items()}


def line(result: Any) -> str:
    """Render a result as ``new: 1, unchanged: 2``. Zeros and empty values are left out where others are not empty."""
    result = display.masked(result)
    if isinstance(result, Mapping):
        told = {name: value for name, value in result.items() if value} or result
        return display.first_line(", ".join(f"{name}: {_value(value)}" for name, value in told.items()), most=_MOST)
    return display.first_line(_value(result), most=_MOST)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, int) and not isinstance(value, bool):
        return display.number(value)
    return json.dumps(value, ensure_ascii=False)
