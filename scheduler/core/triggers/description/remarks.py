"""Remarks about rules that are valid and may mean something else than their author thinks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scheduler.core.triggers.combinations import Combination
from scheduler.core.triggers.cron.crons import CronTrigger, FieldsTrigger
from scheduler.core.triggers.trigger import Trigger
from scheduler.messages import Message, phrase

_SIZES = {"second": 60, "minute": 60, "hour": 24}
_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_STEP = re.compile(r"(?:\*|\d+|\d+-\d+)/(\d+)", re.ASCII)


def remarks(trigger: Trigger) -> tuple[Message, ...]:
    """Return what somebody who knows other schedulers may have meant differently. Empty: the rule is plain."""
    return tuple(_remarks(trigger))


def _remarks(trigger: Trigger) -> Iterator[Message]:
    if isinstance(trigger, Combination):
        for part in trigger.triggers:
            yield from _remarks(part)
    elif isinstance(trigger, FieldsTrigger):
        for name, text in trigger.fields:
            yield from _steps(name, text)
    elif isinstance(trigger, CronTrigger):
        words = trigger.expression.split()
        if len(words) >= 5:
            for name, text in zip(("hour", "minute", "second"), reversed(words[:-3]), strict=False):
                yield from _steps(name, text)
            yield from _weekdays(trigger, words)


def _steps(name: str, text: str) -> Iterator[Message]:
    """Steps begin anew with each minute, hour or day: most of them are not a constant distance."""
    size = _SIZES.get(name)
    for item in text.split(","):
        match = _STEP.fullmatch(item)
        step = int(match[1]) if match else 0
        if size is None or not step:
            continue
        if step >= size:
            yield phrase(
                "The step of “{text}” is larger than its field has values: only its first value is left. Every {step} "
                "is an interval.",
                text=item,
                step=step,
            )
        elif size % step and item.startswith("*"):
            yield phrase(
                "“{text}” begins anew where its field does: the last distance is {rest} instead of {step}. An interval "
                "has even distances.",
                text=item,
                rest=size - (size - 1) // step * step,
                step=step,
            )


def _weekdays(trigger: CronTrigger, words: list[str]) -> Iterator[Message]:
    """Quartz and AWS count from 1, Sunday, and write “?”."""
    if "?" not in words or not re.search(r"(?<![#\w])[1-7]", words[-1]):
        return
    days = [_NAMES[day] for day in sorted(trigger.crontab.weekdays, key=str) if isinstance(day, int)]
    yield phrase(
        "Days of the week count from Sunday, 0: “{text}” is {days}. Quartz counts from Sunday, 1. Names mean the same "
        "everywhere, such as mon-fri.",
        text=words[-1],
        days=", ".join(days),
    )
