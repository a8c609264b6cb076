"""Give rows of earlier releases, whose reasons are English text, the codes of these reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models

from scheduler.core import reasons
from scheduler.messages import Declared, Message
from scheduler.models import Job, Node, Run
from scheduler.store import database

_BATCH = 1000

_KNOWN: tuple[Declared, ...] = (
    reasons.NO_FURTHER_FIRE_TIME,
    reasons.JOB_PAUSED,
    reasons.JOB_BROKEN,
    reasons.JOB_DELETED,
    reasons.CREATED_PAUSED,
    reasons.ADOPTED_PAUSED,
    reasons.BACKFILL,
    reasons.CANCELLED_BEFORE_IT_BEGAN,
    reasons.CANCELLED_BY,
    reasons.PROCESS_ENDED,
    reasons.CANCELLED_WHILE_IT_RAN,
    reasons.FAILED_IN_A_ROW,
    reasons.TOO_MANY_DUE,
    reasons.TOO_LATE,
    reasons.STILL_ACTIVE,
    reasons.NO_HEARTBEAT,
    reasons.STOPPED_EARLY,
)
"""The reasons of releases that stored English text."""

_FORMER = {
    reasons.STILL_ACTIVE.code: (
        "{number} run of this job still active; max_instances is {most}.",
        "{number} runs of this job still active; max_instances is {most}.",
    ),
}
"""Sentences that were worded otherwise then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """The number of converted rows."""

    runs: int
    jobs: int
    nodes: int


def convert(*, progress: Callable[[int], None] | None = None) -> Converted:
    """
    Convert in short transactions, so that nodes go on meanwhile. Running it again converts what came since.

    Texts that a person typed stay as they are: a paused job keeps its text if a person paused it. The history of
    changes is never rewritten.
    """
    typed = models.Q(state="paused") & ~models.Q(state_changed_by="")
    return Converted(
        runs=_convert(Run.objects.all(), progress),
        jobs=_convert(Job.objects.exclude(typed), progress),
        nodes=_convert(Node.objects.all(), progress),
    )


def _convert(rows: models.QuerySet[Any], progress: Callable[[int], None] | None) -> int:
    converted = 0
    for batch in _batches(rows.filter(reason_code="").exclude(reason_text="")):
        found = []
        for row in batch:
            reason = parse(row.reason_text)
            if reason is not None:
                found.append((row.pk, reasons.columns(reason)))
        with database.atomic():
            for pk, columns in found:
                # Only while it has no code: a node may have written another reason meanwhile.
                rows.model.objects.filter(pk=pk, reason_code="").update(**columns)
        converted += len(found)
        if progress is not None and found:
            progress(converted)
    return converted


def _batches(rows: models.QuerySet[Any]) -> Iterator[list[Any]]:
    after: Any = None
    while True:
        found = rows if after is None else rows.filter(pk__gt=after)
        batch = list(found.only("pk", "reason_code", "reason_params", "reason_text").order_by("pk")[:_BATCH])
        if not batch:
            return
        yield batch
        after = batch[-1].pk


def parse(text: str) -> Message | None:
    """Return the reason that a sentence states. ``None``: no release wrote it."""
    for declared in _KNOWN:
        for sentence in _FORMER.get(declared.code) or filter(None, (declared.text, declared.many)):
            match = _pattern(sentence).fullmatch(text)
            if match is not None:
                return declared(**{name: _value(declared, name, value) for name, value in match.groupdict().items()})
    return None


def _value(declared: Declared, name: str, text: str) -> Any:
    kind = declared.params[name]
    if kind is Message:
        return parse(text) or text
    if kind is str:
        return text
    number = float(text)
    return int(number) if number == int(number) else number


@cache
def _pattern(sentence: str) -> re.Pattern[str]:
    """Return what a sentence made from this one looks like."""
    seen: set[str] = set()
    made = ""
    for place, part in enumerate(re.split(r"\{(\w+)\}", sentence)):
        if place % 2 == 0:
            made += re.escape(part)
        elif part in seen:
            made += f"(?P={part})"
        else:
            seen.add(part)
            made += f"(?P<{part}>{_VALUES.get(part, '.+')})"
    return re.compile(made, re.DOTALL)


_VALUES = dict.fromkeys(("number", "most"), r"\d+") | dict.fromkeys(("late", "grace"), r"\d+(?:\.\d+)?")
