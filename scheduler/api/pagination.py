"""The addresses of the pages beside this one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from rest_framework.request import Request

from scheduler.services.queries.paging import Page

DEFAULT_LIMIT = 50
MOST_ROWS = 200


def links(request: Request, page: Page[Any]) -> dict[str, str | None]:
    """Return the addresses of the page after and of the one before, with the filters of this one."""
    return {"next": _link(request, page.next), "previous": _link(request, page.previous)}


def _link(request: Request, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    parameters = [(name, value) for name, values in request.query_params.lists() for value in values]
    parameters = [(name, value) for name, value in parameters if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*parameters, ('cursor', cursor)])}")
