"""Pages that stay fast and stable while rows arrive: a cursor says after which row the next page begins."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import F, Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from scheduler.errors import InvalidFilter

Row = TypeVar("Row", bound=Model)

DEFAULT_LIMIT = 50
MOST_ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By which columns, all in one direction; the last one tells rows apart. ``NULL`` comes last in both."""

    columns: tuple[str, ...]
    descending: bool = False
    nullable: bool = False
    """Whether the first column may be ``NULL``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    rows: list[Row]
    next: str | None
    """The cursor of the rows after these."""


def paginate(rows: QuerySet[Row], *, order: Order, limit: int, cursor: str = "") -> Page[Row]:
    """
    Return the rows after the cursor.

    :raises InvalidFilter: the cursor is not one of ours, or of another order
    """
    if cursor:
        rows = rows.filter(_after(order, _read(cursor, order)))
    sort = [
        F(column).desc(nulls_last=True if order.nullable and place == 0 else None)
        if order.descending
        else F(column).asc(nulls_last=True if order.nullable and place == 0 else None)
        for place, column in enumerate(order.columns)
    ]
    found = list(rows.order_by(*sort)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page(rows=found, next=_write(found[-1], order) if more and found else None)


def link(request: Request, cursor: str | None) -> str | None:
    """Return the address of the page that begins there."""
    if cursor is None:
        return None
    parameters = [(name, value) for name, values in request.query_params.lists() for value in values]
    parameters = [(name, value) for name, value in parameters if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*parameters, ('cursor', cursor)])}")


def _after(order: Order, values: Sequence[Any]) -> Q:
    beyond = "lt" if order.descending else "gt"
    first = order.columns[0]
    if order.nullable and values[0] is None:
        return Q(**{f"{first}__isnull": True}) & _tuple(order.columns[1:], values[1:], beyond)
    found = _tuple(order.columns, values, beyond)
    # Said by the alternatives too, but only like this can an index begin there.
    bound = Q(**{f"{first}__{beyond}e": values[0]})
    return (found & bound) | Q(**{f"{first}__isnull": True}) if order.nullable else found & bound


def _tuple(columns: Sequence[str], values: Sequence[Any], beyond: str) -> Q:
    """Say that the columns, as a tuple, lie beyond the values."""
    found = Q()
    for place, column in enumerate(columns):
        same = dict(zip(columns[:place], values[:place], strict=True))
        found |= Q(**same, **{f"{column}__{beyond}": values[place]})
    return found


def _write(row: Model, order: Order) -> str:
    values = [getattr(row, column) for column in order.columns]
    texts = [{"at": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    document = json.dumps([order.columns[0], order.descending, texts], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read(cursor: str, order: Order) -> list[Any]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        column, descending, texts = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        values = [parse_datetime(value["at"]) if isinstance(value, dict) else value for value in texts]
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        raise _foreign() from None
    fits = (column, descending, len(values)) == (order.columns[0], order.descending, len(order.columns))
    if not fits or not all(isinstance(value, str | int | datetime | None) for value in values):
        raise _foreign()
    if any(isinstance(value, str) and "\x00" in value for value in values):
        raise _foreign()
    if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
        raise _foreign()
    return values


def _foreign() -> InvalidFilter:
    return InvalidFilter(
        "The cursor is not one of this list in this order. Begin without one.", parameter="cursor", code="bad_cursor"
    )
