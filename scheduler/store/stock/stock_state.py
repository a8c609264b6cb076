"""
Reading what stock django-apscheduler stored about a job, as data.

A pickle is a program. This one can reach only the stand-ins below, which hold their arguments and have no behaviour:
not APScheduler's classes, whose ``__setstate__`` imports modules by name, and not ``Job.__setstate__``, which imports
the function. Before that its instructions are read one by one, without being carried out, and refused if stock never
writes them. The result is checked field by field.
"""

from __future__ import annotations

import io
import json
import pickle
import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any, NoReturn

from scheduler.core import triggers
from scheduler.core.triggers.apscheduler import from_apscheduler
from scheduler.core.triggers.zones import zone_named
from scheduler.errors import InvalidTrigger, UnreadableState
from scheduler.store.stock import stock_triggers
from scheduler.store.stock.stock_triggers import Recorded, recorded_class

MAX_BYTES = 1024 * 1024
MAX_VALUES = 100_000
"""Limit of the values reached from the state. Those reached twice count twice."""

MAX_DEPTH = 50

_INSTRUCTIONS = frozenset(
    {
        "PROTO",
        "FRAME",
        "STOP",
        "MARK",
        "POP",
        "POP_MARK",
        "DUP",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "SHORT_BINBYTES",
        "BINBYTES",
        "SHORT_BINSTRING",
        "EMPTY_TUPLE",
        "TUPLE",
        "TUPLE1",
        "TUPLE2",
        "TUPLE3",
        "EMPTY_LIST",
        "APPEND",
        "APPENDS",
        "EMPTY_DICT",
        "SETITEM",
        "SETITEMS",
        "EMPTY_SET",
        "ADDITEMS",
        "FROZENSET",
        "MEMOIZE",
        "BINPUT",
        "LONG_BINPUT",
        "BINGET",
        "LONG_BINGET",
        "GLOBAL",
        "STACK_GLOBAL",
        "REDUCE",
        "NEWOBJ",
        "BUILD",
    }
)
"""
The instructions of protocols 2 to 5 for values, lists and the classes below, without extensions or persistent ids.
"""

_FAILURES = (
    pickle.UnpicklingError,
    EOFError,
    LookupError,
    ArithmeticError,
    AttributeError,
    TypeError,
    ValueError,
    MemoryError,
    RecursionError,
)
"""Errors that the unpickler raises on nonsense. Only its own code and the stand-ins run."""

_TRIGGERS = {
    ("apscheduler.triggers.cron", "CronTrigger"): "cron",
    ("apscheduler.triggers.interval", "IntervalTrigger"): "interval",
    ("apscheduler.triggers.date", "DateTrigger"): "date",
    ("apscheduler.triggers.calendarinterval", "CalendarIntervalTrigger"): "calendar",
    ("apscheduler.triggers.combining", "AndTrigger"): "and",
    ("apscheduler.triggers.combining", "OrTrigger"): "or",
    # As our own releases wrote rules of which APScheduler has no class.
    ("scheduler.core.triggers.apscheduler", "JsonTrigger"): "json",
}
_NOT_JSON = {("decimal", "Decimal"), ("uuid", "UUID"), ("datetime", "time"), ("pathlib", "PosixPath")}
_PARTS = {
    "apscheduler.triggers.cron.fields": (
        "BaseField",
        "DayOfMonthField",
        "DayOfWeekField",
        "MonthField",
        "WeekField",
    ),
    "apscheduler.triggers.cron.expressions": (
        "AllExpression",
        "RangeExpression",
        "MonthRangeExpression",
        "WeekdayRangeExpression",
        "WeekdayPositionExpression",
        "LastDayOfMonthExpression",
    ),
}
OWN_KEY = "openlearn_scheduler"
"""In a state that we wrote for stock to go on with: what the job is made of here, as JSON text."""

_KEYS = frozenset(
    {
        "id",
        "func",
        "trigger",
        "executor",
        "args",
        "kwargs",
        "name",
        "misfire_grace_time",
        "coalesce",
        "max_instances",
        "next_run_time",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockState:
    """The facts that stock stored about a job, without any look-up or import."""

    id: str
    func: str
    """``module:function``."""

    trigger: dict[str, Any]
    """Our JSON. Empty where ``own`` says it."""

    executor: str
    args: list[Any]
    kwargs: dict[str, Any]
    """As stored. Whether JSON can hold them is not checked yet."""

    name: str
    misfire_grace_time: int | None
    coalesce: bool
    max_instances: int
    own: dict[str, Any] | None = None
    """What ``OWN_KEY`` held, unchecked."""


def read(data: bytes) -> StockState:
    """
    Read a ``job_state`` that stock django-apscheduler wrote, protocols 2 to 5.

    Zones of ``zoneinfo`` and ``pytz`` are taken by their names.

    :raises UnreadableState: it is damaged, too large, or asks for anything beyond the data of a job
    """
    _read_instructions(data)
    try:
        state = _Unpickler(io.BytesIO(data)).load()
    except UnreadableState:
        raise
    except _FAILURES as error:
        raise UnreadableState(f"Its state is damaged: {_shown(error)}.") from None
    _measure(state)
    return _checked(state)


def _read_instructions(data: bytes) -> None:
    """Look at the program without running it: an absurd memo index alone would fill the memory."""
    if len(data) > MAX_BYTES:
        raise UnreadableState(f"Its state takes {len(data):,} bytes; at most {MAX_BYTES:,} are read.")
    if not data:
        raise UnreadableState("Its state is empty.")
    try:
        for instruction, argument, _ in pickletools.genops(data):
            if instruction.name not in _INSTRUCTIONS:
                raise UnreadableState(f"Its state holds an instruction that no job needs: {instruction.name}.")
            if instruction.name in ("BINPUT", "LONG_BINPUT") and (argument or 0) > len(data):
                raise UnreadableState("Its state is damaged: a memo index beyond its length.")
    except _FAILURES as error:
        raise UnreadableState(f"Its state is damaged: {_shown(error)}.") from None


class _Unpickler(pickle._Unpickler):
    """
    Resolve every name to a stand-in made for this one pickle, so that changes to them do not last.

    This is Python's own implementation, whose steps can be observed: in the C one, a key of 90 bytes made of shared
    tuples would be hashed for ever.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._known: dict[tuple[str, str], Any] = {
            ("datetime", "datetime"): datetime,
            ("datetime", "date"): date,
            ("datetime", "timedelta"): timedelta,
            ("datetime", "timezone"): timezone,
            ("zoneinfo", "ZoneInfo"): _ZONE_INFO,
            ("builtins", "getattr"): _Callable(_unpickling_of_zones),
            ("__builtin__", "getattr"): _Callable(_unpickling_of_zones),
            ("_codecs", "encode"): _Callable(_bytes),
            ("pytz", "_p"): _Callable(_pytz_zone),
            ("pytz", "_UTC"): _Callable(_utc),
            ("pytz", "FixedOffset"): _Callable(_fixed_offset),
        }
        for place, kind in _TRIGGERS.items():
            self._known[place] = recorded_class(kind)
        for module, names in _PARTS.items():
            for name in names:
                self._known[module, name] = recorded_class(name)

    def find_class(self, module: str, name: str) -> Any:
        found = self._known.get((module, name))
        if found is not None:
            return found
        if (module, name) in _NOT_JSON:
            raise UnreadableState(
                f"Its arguments hold a {module}.{name}; arguments of jobs are JSON. Create the job again with a text "
                "or a number in its place."
            )
        raise UnreadableState(f"Its state asks for {_shown(f'{module}.{name}')}, which no job needs.")


def _key(value: Any) -> None:
    if not isinstance(value, str | bytes | int | float | type(None)):
        raise UnreadableState("Its state has a key or a member of a set that no job needs.")


def _with_plain_keys(load: Callable[[Any], None], keys_of: Callable[[Any], list[Any]]) -> Callable[[Any], None]:
    def checked(unpickler: Any) -> None:
        for key in keys_of(unpickler.stack):
            _key(key)
        load(unpickler)

    return checked


def _refuse_other_keys() -> None:
    """Check what is about to be hashed, in each instruction that hashes anything."""
    for instruction, keys_of in (
        (pickle.SETITEM, lambda stack: stack[-2:-1]),
        (pickle.SETITEMS, lambda stack: stack[::2]),
        (pickle.DICT, lambda stack: stack[::2]),
        (pickle.ADDITEMS, lambda stack: stack),
        (pickle.FROZENSET, lambda stack: stack),
    ):
        load = _Unpickler.dispatch[instruction[0]]
        _Unpickler.dispatch[instruction[0]] = _with_plain_keys(load, keys_of)


_refuse_other_keys()


class _Callable:
    """A function that a pickle may call. It has no attributes that a pickle could set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> NoReturn:
        raise UnreadableState("Its state tries to change a function.")


class _ZoneInfoClass:
    """Stands for ``zoneinfo.ZoneInfo``, of which a pickle needs one method."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> NoReturn:
        raise UnreadableState("Its state tries to change a class.")


_ZONE_INFO = _ZoneInfoClass()


class _PytzZone(tzinfo):
    """A zone of pytz at one of its offsets."""

    def __init__(self, key: str, offset: timedelta) -> None:
        self.key = key
        self._offset = offset

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return self._offset

    def dst(self, moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return self.key


def _unpickling_of_zones(owner: object, name: object) -> _Callable:
    if owner is not _ZONE_INFO or name != "_unpickle":
        raise UnreadableState("Its state reaches for an attribute, which no job needs.")
    return _Callable(_zone_info)


def _bytes(text: object, encoding: object) -> bytes:
    """As protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UnreadableState("Its state encodes text, which no job needs.")
    return text.encode("latin1")


def _zone_info(key: object, from_cache: object = True) -> tzinfo:
    return _zone(key)


def _pytz_zone(key: object, offset_seconds: object = 0, *rest: object) -> tzinfo:
    """As pytz pickles a zone: its name, then the offset that was in force at the datetime it belongs to."""
    _zone(key)
    if not isinstance(offset_seconds, int | float):
        raise UnreadableState("Its state has a time zone with an odd offset.")
    return _PytzZone(str(key), timedelta(seconds=offset_seconds))


def _utc() -> tzinfo:
    return UTC


def _fixed_offset(minutes: object) -> tzinfo:
    if not isinstance(minutes, int):
        raise UnreadableState("Its state has a time zone with an odd offset.")
    return timezone(timedelta(minutes=minutes))


def _zone(key: object) -> tzinfo:
    try:
        if isinstance(key, str):
            return zone_named(key)
    except LookupError:
        pass
    raise UnreadableState(f"{_shown(key)} is not a time zone.")


def _measure(state: object) -> None:
    """Refuse what is small as a pickle and endless as JSON: lists in themselves, or in each other many times."""
    waiting: list[tuple[object, int]] = [(state, 0)]
    values = 0
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if values > MAX_VALUES or depth > MAX_DEPTH:
            raise UnreadableState("Its state is nested too deeply, or unfolds into too much.")
        if isinstance(value, Mapping):
            waiting += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += [(part, depth + 1) for part in value]
        elif isinstance(value, Recorded):
            waiting.append((value.state, depth + 1))


def _checked(state: object) -> StockState:
    if not isinstance(state, dict) or not state.keys() >= _KEYS:
        raise UnreadableState("Its state is not that of a job of APScheduler 3.")
    if state.get("version", 1) != 1:
        raise UnreadableState(f"Its state has version {_shown(state['version'])}; only version 1 is known.")
    args, kwargs, grace = state["args"], state["kwargs"], state["misfire_grace_time"]
    for name in ("id", "func", "name", "executor"):
        if not isinstance(state[name], str):
            raise UnreadableState(f"Its {name} is {_shown(state[name])}; it should be text.")
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise UnreadableState("Its arguments are not a list and a dictionary.")
    for name, value in (("max_instances", state["max_instances"]), ("misfire_grace_time", grace)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise UnreadableState(f"Its {name} is {_shown(value)}; it should be a whole number from 1 on.")
    own = _own(state.get(OWN_KEY))
    return StockState(
        id=state["id"],
        func=state["func"],
        trigger={} if own is not None else _trigger(state["trigger"]),
        executor=state["executor"],
        args=list(args),
        kwargs=kwargs,
        name=state["name"],
        misfire_grace_time=grace,
        coalesce=bool(state["coalesce"]),
        max_instances=state["max_instances"] or 1,
        own=own,
    )


def _own(text: object) -> dict[str, Any] | None:
    if not isinstance(text, str):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _trigger(recorded: object) -> dict[str, Any]:
    if not isinstance(recorded, Recorded):
        raise UnreadableState(f"Its trigger is {_shown(recorded)}.")
    try:
        if recorded.kind == "json":
            return triggers.parse(recorded.get("trigger")).as_json()
        return from_apscheduler(stock_triggers.rebuild(recorded))
    except (*_FAILURES, InvalidTrigger) as error:
        raise UnreadableState(f"Its trigger cannot be used: {_shown(error)}") from None


def _shown(value: object) -> str:
    text = ascii(str(value))[1:-1]
    return f"{text[:197]}…" if len(text) > 200 else text
