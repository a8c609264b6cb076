"""
Unpickling of what stock django-apscheduler stored about a job, as data.

A pickle is a program. This one can reach only the stand-ins below, which hold their arguments and have no behaviour:
not APScheduler's classes, whose ``__setstate__`` imports modules by name, and not ``Job.__setstate__``, which imports
the function. Before that its instructions are read one by one, without being carried out, and refused if stock never
writes them.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any

from scheduler.errors import UnreadableState
from scheduler.store.stock import stand_ins
from scheduler.store.stock.stand_ins import shown
from scheduler.store.stock.stock_triggers import Recorded

MAX_BYTES = 1024 * 1024
MAX_VALUES = 100_000
"""Limit of the values reached from the state. Those reached twice count twice."""

MAX_DEPTH = 50

_INSTRUCTIONS = frozenset(
    [
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
    ]
)
"""
The instructions of protocols 2 to 5 for values, lists and the classes below, without extensions or persistent ids.
"""

FAILURES = (
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
_NOT_JSON = {("decimal", "Decimal"), ("uuid", "UUID"), ("datetime", "time"), ("pathlib", "PosixPath")}


def load(data: bytes) -> object:
    """
    Return what a pickle of protocols 2 to 5 holds, with ``Recorded`` in the places of APScheduler's objects.

    Zones of ``zoneinfo`` and ``pytz`` are taken by their names.

    :raises UnreadableState: it is damaged, too large, or asks for anything beyond the data of a job
    """
    _read_instructions(data)
    try:
        state = _Unpickler(io.BytesIO(data)).load()
    except UnreadableState:
        raise
    except FAILURES as error:
        raise UnreadableState(f"Its state is damaged: {shown(error)}.") from None
    _measure(state)
    return state


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
    except FAILURES as error:
        raise UnreadableState(f"Its state is damaged: {shown(error)}.") from None


class _Unpickler(pickle._Unpickler):
    """
    Resolve every name to a stand-in made for this one pickle, so that changes to them do not last.

    This is Python's own implementation, whose steps can be observed: in the C one, a key of 90 bytes made of shared
    tuples would be hashed for ever.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self._known = stand_ins.by_name()

    def find_class(self, module: str, name: str) -> Any:
        found = self._known.get((module, name))
        if found is not None:
            return found
        if (module, name) in _NOT_JSON:
            raise UnreadableState(
                f"Its arguments hold a {module}.{name}; arguments of jobs are JSON. Create the job again with a text "
                "or a number in its place."
            )
        raise UnreadableState(f"Its state asks for {shown(f'{module}.{name}')}, which no job needs.")


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
