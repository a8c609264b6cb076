"""Pages that stay fast and stable while rows arrive: a cursor says from which row on, and in which direction."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

from django.db.models import DateTimeField, F, IntegerField, Model, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.utils.dateparse import parse_datetime

from scheduler.errors import InvalidFilter

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The columns, all in one direction. The last one is unique. ``NULL`` comes last in both."""

    columns: tuple[str, ...]
    descending: bool = False
    nullable: bool = False
    """Whether the first column may be ``NULL``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    rows: list[Row]
    next: str | None
    """The cursor of the rows after these."""

    previous: str | None
    """The cursor of the rows before these."""

    edge: Row | None = None
    """The last row that a search has read, if it has not read all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    values: list[Any]
    forward: bool


Search = Callable[[QuerySet[Row]], tuple[QuerySet[Row], Row | None]]
"""Narrows ordered rows to the matches among the first of them. It adds the last row that it read, if there are more."""


def paginate(
    *, rows: QuerySet[Row], order: Order, limit: int, cursor: str = "", search: Search[Row] | None = None
) -> Page[Row]:
    """
    Return the rows after the cursor, or before it if it is one of a page before. Without one, the first rows.

    With a ``search``, the next page begins after the last row that was read.

    :raises InvalidFilter: the cursor is not one of ours, or of another order
    """
    place = _read(cursor, order) if cursor else None
    if place is not None and not all(map(partial(_suits, rows), order.columns, place.values)):
        raise _foreign()
    forward = place is None or place.forward
    if place is not None:
        rows = rows.filter(_beyond(order, place))
    rows, edge = rows.order_by(*_sort(order, forward=forward)), None
    if search is not None:
        rows, edge = search(rows)
    found = list(rows[: limit + 1])
    if len(found) > limit:
        found = found[:limit]
        edge_of_page: Row | None = found[-1]
    else:
        edge_of_page = edge
    if not forward:
        found.reverse()
    before = edge_of_page if not forward else found[0] if found and place is not None else None
    after = edge_of_page if forward else found[-1] if found else None
    return Page(
        rows=found,
        next=_write(after, order, forward=True) if after is not None else None,
        previous=_write(before, order, forward=False) if before is not None else None,
        edge=edge if edge_of_page is edge else None,
    )


def _suits(rows: QuerySet[Row], column: str, value: Any) -> bool:
    """Return whether a value of a cursor is of the type of its column, and within what the database can compare."""
    kind = rows.query.resolve_ref(column).output_field
    if isinstance(kind, DateTimeField):
        return value is None or isinstance(value, datetime)
    if isinstance(kind, IntegerField):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return is_whole and _SMALLEST <= value <= _LARGEST
    return isinstance(value, str)


_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def _sort(order: Order, *, forward: bool) -> list[OrderBy]:
    found = []
    for place, column in enumerate(order.columns):
        nulls = {"nulls_last" if forward else "nulls_first": True} if order.nullable and place == 0 else {}
        found.append(F(column).desc(**nulls) if order.descending == forward else F(column).asc(**nulls))
    return found


def _beyond(order: Order, place: _Place) -> Q:
    beyond = "lt" if order.descending == place.forward else "gt"
    first, value = order.columns[0], place.values[0]
    if order.nullable and value is None:
        found = Q(**{f"{first}__isnull": True}) & _tuple(order.columns[1:], place.values[1:], beyond)
        return found if place.forward else found | Q(**{f"{first}__isnull": False})
    # The bound is said by the tuple too, but only like this can an index begin there.
    found = _tuple(order.columns, place.values, beyond) & Q(**{f"{first}__{beyond}e": value})
    return found | Q(**{f"{first}__isnull": True}) if order.nullable and place.forward else found


def _tuple(columns: Sequence[str], values: Sequence[Any], beyond: str) -> Q:
    """Say that the columns, as a tuple, lie beyond the values."""
    found = Q()
    for place, column in enumerate(columns):
        same = dict(zip(columns[:place], values[:place], strict=True))
        found |= Q(**same, **{f"{column}__{beyond}": values[place]})
    return found


def _write(row: Model, order: Order, *, forward: bool) -> str:
    values = [getattr(row, column) for column in order.columns]
    texts = [{"at": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    document = json.dumps([order.columns[0], order.descending, forward, texts], separators=(",", ":"))
    return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")


def _read(cursor: str, order: Order) -> _Place:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        document = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        column, descending, forward, texts = document
        values = [parse_datetime(value["at"]) if isinstance(value, dict) else value for value in texts]
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        raise _foreign() from None
    fits = (column, descending, len(values)) == (order.columns[0], order.descending, len(order.columns))
    if not fits or not isinstance(forward, bool):
        raise _foreign()
    if not all(isinstance(value, str | int | datetime | None) for value in values):
        raise _foreign()
    if any(isinstance(value, str) and "\x00" in value for value in values):
        raise _foreign()
    if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
        raise _foreign()
    return _Place(values=values, forward=forward)


def _foreign() -> InvalidFilter:
    return InvalidFilter(
        "The cursor is not one of this list in this order. Begin without one.", parameter="cursor", code="bad_cursor"
    )
