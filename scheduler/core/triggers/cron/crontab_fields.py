"""The fields of a cron expression: their values and names, rewritten as cronsim reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scheduler.core.triggers import error_messages
from scheduler.core.triggers.cron.special_days import SpecialDay
from scheduler.errors import InvalidTrigger
from scheduler.messages import message, message_in, phrase, phrase_in

MOST_ITEMS = 60
POINTER = "/expression"
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTH_NAMES = (
    message_in("month", "January"),
    message_in("month", "February"),
    message_in("month", "March"),
    message_in("month", "April"),
    message_in("month", "May"),
    message_in("month", "June"),
    message_in("month", "July"),
    message_in("month", "August"),
    message_in("month", "September"),
    message_in("month", "October"),
    message_in("month", "November"),
    message_in("month", "December"),
)
MONTHS = tuple(name for _, name in _MONTH_NAMES)

_NUMBER = re.compile(r"\d{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    label: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    """Upper case. The first one is the lowest value."""

    @property
    def allowed(self) -> str:
        if self.lowest == 1 and not self.names:
            return phrase(
                "allowed are {lowest} to {highest}, L, LW, L-1 to L-30 and 1W to 31W",
                lowest=self.lowest,
                highest=self.highest,
            )
        if self.highest == 7:
            return phrase(
                "allowed are {lowest} to {highest}, {first} to {last}, friL for the last and 1#2 for the second one",
                lowest=self.lowest,
                highest=self.highest,
                first=self.names[0].lower(),
                last=self.names[-1].lower(),
            )
        if not self.names:
            return phrase("allowed are {lowest} to {highest}", lowest=self.lowest, highest=self.highest)
        return phrase(
            "allowed are {lowest} to {highest}, or {first} to {last}",
            lowest=self.lowest,
            highest=self.highest,
            first=self.names[0].lower(),
            last=self.names[-1].lower(),
        )

    @property
    def called(self) -> str:
        return phrase(self.label)

    def number(self, text: str) -> int | None:
        """Return the value of a number or a name. ``None``: it is neither or out of range."""
        if text in self.names:
            return self.names.index(text) + self.lowest
        value = int(text) if _NUMBER.fullmatch(text) else -1
        return value if self.lowest <= value <= self.highest else None


_SECOND = Field(label=message("Second"), lowest=0, highest=59)
_MINUTE = Field(label=message("Minute"), lowest=0, highest=59)
_HOUR = Field(label=message("Hour"), lowest=0, highest=23)
_DAY = Field(label=message("Day of month"), lowest=1, highest=31)
_MONTH = Field(label=message("Month"), lowest=1, highest=12, names=tuple(name[:3].upper() for name in MONTHS))
WEEKDAY = Field(label=message("Day of week"), lowest=0, highest=7, names=tuple(name[:3].upper() for name in WEEKDAYS))
FIELDS = (_SECOND, _MINUTE, _HOUR, _DAY, _MONTH, WEEKDAY)


def rewrite(word: str, field: Field, written: str) -> str:
    """Return the field as cronsim reads it: ranges that wrap become lists."""
    if word == "?" and field in (_DAY, WEEKDAY):
        return "*"
    items = word.split(",")
    if len(items) > MOST_ITEMS:
        raise refused(
            error_messages.CRON_LIST_TOO_LONG(
                field=field.called,
                most=MOST_ITEMS,
                number=len(items),
            ),
            "too_long",
        )
    return ",".join(_rewrite_item(item, field, shown) for item, shown in zip(items, written.split(","), strict=True))


def _rewrite_item(item: str, field: Field, written: str) -> str:
    if special := _special(item, field):
        return special
    term, slash, step = item.partition("/")
    if slash and (not _NUMBER.fullmatch(step) or int(step) == 0):
        raise refused(
            error_messages.CRON_STEP_NEEDED(field=field.called, text=written),
            "invalid_field",
        )
    if term == "*":
        return item
    first, dash, last = term.partition("-")
    low, high = field.number(first), field.number(last if dash else first)
    if low is None or high is None:
        raise _bad_value(field, written, (first, last) if dash else (first,))
    if not dash:
        return f"{low}{slash}{step}"
    if low <= high:
        return f"{low}-{high}{slash}{step}"
    # Sunday is both 0 and 7: a week that wraps starts again at 1 after 7, any other field at its lowest value.
    top = 6 if field is WEEKDAY else field.highest
    values = [*range(low, top + 1), *range(field.lowest, high + 1)] if low <= top else [*range(field.lowest, high + 1)]
    return ",".join(str(value) for value in values[:: int(step) if slash else 1])


def _special(item: str, field: Field) -> str | None:
    """Return ``L``, ``LW``, ``15W``, ``L-2``, ``5L`` or ``1#2`` in one spelling. ``None`` for other values."""
    if field is _DAY and (item in ("L", "LW") or SpecialDay.read(item)):
        return item
    if field is not WEEKDAY:
        return None
    day, mark, position = item.partition("#")
    if mark:
        number = field.number(day)
        if number is not None and position == "L":
            return f"{number}L"
        return f"{number}#{position}" if number is not None and position in ("1", "2", "3", "4", "5") else None
    number = field.number(item[:-1]) if item.endswith("L") else None
    return None if number is None else f"{number}L"


def _bad_value(field: Field, written: str, values: tuple[str, ...]) -> InvalidTrigger:
    if all(_NUMBER.fullmatch(value) or value.isalpha() for value in values):
        return refused(
            error_messages.CRON_PART_OUT_OF_RANGE(field=field.called, text=written, allowed=field.allowed),
            "invalid_field",
        )
    return refused(
        error_messages.CRON_PART_NOT_UNDERSTOOD(
            field=field.called,
            text=written,
            allowed=field.allowed,
        ),
        "invalid_field",
    )


def month_name(month: int) -> str:
    return phrase_in(*_MONTH_NAMES[month - 1])


def refused(problem: str, code: str) -> InvalidTrigger:
    return InvalidTrigger(problem, pointer=POINTER, code=code)
