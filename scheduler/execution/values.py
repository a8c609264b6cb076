"""Making values fit to be stored: bounded, free of what PostgreSQL refuses, told where they were cut."""

from __future__ import annotations

import itertools
import math
import re
import traceback as tracebacks
from collections import deque
from collections.abc import Iterator, Mapping, Sized
from typing import Any

from pydantic_core import to_jsonable_python

from scheduler.untouched import json

_MOST_PROGRESS = 10**15
_LONGEST_PROGRESS = 2000
"""Characters of the message of a progress."""

_LONGEST_SKIP = 2000
"""Characters of the text with which a task skips its run."""

_FAR = 16
"""A result so many times longer than is kept is not written out to see how it begins."""

_REFUSED = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """Replace NUL and lone surrogates, which PostgreSQL cannot store, by U+FFFD."""
    return _REFUSED.sub("\ufffd", text)


def cut_middle(text: str, *, limit: int) -> str:
    """Keep the beginning and the end of a text that is longer than ``limit`` characters, and say what is missing."""
    if len(text) <= limit:
        return text
    head = limit // 2
    tail = limit - head
    return f"{text[:head]}\n… {len(text) - limit} characters left out …\n{text[-tail:]}"


def progress_as_json(progress: Mapping[str, Any]) -> str:
    """
    Return a task's progress as JSON that PostgreSQL accepts.

    A value of another type than number or text becomes a short text: progress never fails a run.
    """
    return json.dumps({name: _shown(value) for name, value in progress.items()}, ensure_ascii=False, allow_nan=False)


def _shown(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and -_MOST_PROGRESS < value < _MOST_PROGRESS:
        return value
    return clean(cut_middle(message_of(value), limit=_LONGEST_PROGRESS))


def result_as_json(value: Any, *, limit: int) -> str | None:
    """
    Return a task's result as JSON, or ``None`` without a result.

    A value that JSON cannot hold, or longer than ``limit`` bytes, becomes an object with the reason: a result never
    fails a run.
    """
    if value is None:
        return None
    if isinstance(value, str) and len(value) > limit:
        # While a text is made JSON, no other thread of this process can move: only what is kept of it is.
        text = json.dumps(clean(value[: limit // 8]), ensure_ascii=False)
        return _cut(text, size=_bytes(value) + 2, limit=limit)
    try:
        if is_larger(value, than=_FAR * limit):
            return _too_large(value, limit=limit)
        converted = _plain(to_jsonable_python(value, inf_nan_mode="constants"))
        text = json.dumps(converted, ensure_ascii=False, allow_nan=False)
    except Exception as error:  # noqa: BLE001 - the value's own code is anybody's, like the body that returned it
        reason = clean(message_of(error))[:500]
        return json.dumps({"unserializable": type(value).__qualname__, "reason": reason}, ensure_ascii=False)
    size = len(text.encode())
    return _cut(text, size=size, limit=limit) if size > limit else text


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def is_larger(value: Any, *, than: int) -> bool:
    """
    Return whether a value surely takes more bytes as JSON, found out in as many steps at most.

    A value of a gigabyte would be copied several times before its size were known.
    """
    left = than
    open_items: list[tuple[int, Iterator[Any]]] = [(0, iter((value,)))]
    while open_items and left >= 0:
        item = next(open_items[-1][1], _NOTHING)
        left -= 1
        if item is _NOTHING:
            open_items.pop()
        elif isinstance(item, str | bytes | bytearray):
            left -= len(item)
        elif any(id(item) == outer for outer, _ in open_items[-_DEEPEST:]):
            return False  # it contains itself: it cannot be written out at all
        elif isinstance(item, dict):
            open_items.append((id(item), itertools.chain.from_iterable(item.items())))
        elif isinstance(item, list | tuple | set | frozenset | deque):
            open_items.append((id(item), iter(item)))
    return left < 0


_NOTHING = object()
_DEEPEST = 100
"""So many containers around an item are compared with it."""


def _too_large(value: Any, *, limit: int) -> str:
    """Describe a value that is not written out, because it would be far too long."""
    was = f"{type(value).__qualname__}, {len(value):,} items" if isinstance(value, Sized) else type(value).__qualname__
    return json.dumps({"cut": True, "more_than": _FAR * limit, "limit": limit, "was": was}, ensure_ascii=False)


def _cut(text: str, *, size: int, limit: int) -> str:
    # A character takes at most four bytes, so that this too is within the limit.
    begins = text[: limit // 8]
    return json.dumps({"cut": True, "bytes": size, "limit": limit, "begins": begins}, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Spell NaN and the infinities, which JSON does not have, and clean texts before JSON writes them as escapes."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {clean(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def describe_error(error: BaseException, *, limit: int) -> tuple[str, str]:
    """Return one line (type and message) and the traceback with its causes, cut in the middle. Never fails."""
    name, message = _name(error), message_of(error)
    line = f"{name}: {message}" if message else name
    try:
        text = "".join(tracebacks.format_exception(error))
    except BaseException as broken:  # noqa: BLE001 - an exception's own code is asked for notes, causes and source lines
        place = "".join(tracebacks.format_tb(error.__traceback__))
        text = f"{place}{line}\n(more could not be read: {type(broken).__name__})\n"
    return clean(cut_middle(line, limit=2000)), clean(cut_middle(text, limit=limit))


def describe_skip(raised: BaseException) -> str:
    """Return the text with which a task skips its run, bounded and fit to be stored."""
    return clean(cut_middle(message_of(raised), limit=_LONGEST_SKIP)).strip() or "–"


def _name(error: BaseException) -> str:
    try:
        return str(type(error).__qualname__)
    except BaseException:  # noqa: BLE001 - a metaclass may do anything here
        return "Exception"


def message_of(value: object) -> str:
    """Return ``str`` of a value whose own code may fail."""
    try:
        return str(value)
    except BaseException as broken:  # noqa: BLE001 - a task's own class may do anything in __str__, also leave
        return f"(its message could not be read: {type(broken).__name__})"
