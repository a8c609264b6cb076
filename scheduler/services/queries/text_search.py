"""
Looking for a text in the arguments and logs of runs.

No index serves such a search: one would cost each run that is recorded. Therefore a search reads the next
``MOST_SEARCHED`` runs that match all other criteria, and no more than ``MOST_BYTES`` of their texts. A list continues
from there with its next page.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Func, IntegerField, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast

from scheduler.models import Run

MOST_SEARCHED = 10_000
MOST_BYTES = 16 * 1024 * 1024

_NAMED = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)=(.*)", re.DOTALL)
"""An argument by its name, or a part of one: ``source_id=7``, ``options.depth=2``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSearch:
    """Texts that a run has to hold. An empty one is ignored."""

    argument: str = ""
    """A part of an argument, or ``name=value``."""

    log: str = ""

    def __bool__(self) -> bool:
        return bool(self.argument or self.log)

    def within(self, rows: QuerySet[Run]) -> tuple[QuerySet[Run], Run | None]:
        """
        Return the runs that hold the texts among the first of these rows, and the last row that was read if there are
        more.
        """
        read = list(rows.values_list("pk", self._bytes())[: MOST_SEARCHED + 1])
        ids: list[int] = []
        total = 0
        for pk, size in read[:MOST_SEARCHED]:
            total += size or 0
            if ids and total > MOST_BYTES:
                break
            ids.append(pk)
        last = Run.objects.without_output().filter(pk=ids[-1]).first() if len(ids) < len(read) else None
        return self._holding(rows.filter(pk__in=ids)), last

    def _bytes(self) -> Any:
        """The size of the texts of a run, which is known without reading them."""
        size = Func("kwargs", function="pg_column_size", output_field=IntegerField()) if self.argument else None
        logged = Func("log", function="octet_length", output_field=IntegerField()) if self.log else None
        return size + logged if size is not None and logged is not None else size or logged

    def _holding(self, rows: QuerySet[Run]) -> QuerySet[Run]:
        if self.log:
            rows = rows.filter(log__icontains=self.log)
        if self.argument:
            texts = {f"{name}_text": Cast(F(name), TextField()) for name in ("args", "kwargs")}
            part = json.dumps(self.argument, ensure_ascii=False)[1:-1]
            found = Q(args_text__icontains=part) | Q(kwargs_text__icontains=part)
            if match := _NAMED.fullmatch(self.argument):
                texts["named"] = _value(match[1].split("."))
                found |= Q(named=match[2])
            rows = rows.alias(**texts).filter(found)
        return rows


def _value(names: list[str]) -> Any:
    found: Any = "kwargs"
    for name in names[:-1]:
        found = KeyTransform(name, found)
    return KeyTextTransform(names[-1], found)
