"""Numbers and names in a row, as people read them: ``1, 3 to 5 and 9``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from scheduler.messages import message_in, phrase, phrase_in, row


def rotate(values: Sequence[int], size: int) -> list[int]:
    """Begin after the gap, so that 0, 1, 22, 23 of 24 reads 22, 23, 0, 1."""
    if len(values) < 2 or values[0] + size - values[-1] != 1:
        return list(values)
    for index in range(len(values) - 1, 0, -1):
        if values[index] - values[index - 1] > 1:
            return [*values[index:], *values[:index]]
    return list(values)


def ranges(
    values: Sequence[int],
    name: Callable[[int], str] = str,
    *,
    within: Callable[[int], str] | None = None,
    to: tuple[str, str] = message_in("from one to another", "{first} to {last}"),
    size: int = 0,
) -> str:
    """
    ``1, 3 to 5 and 9``, or ``1, 3, … 31``. With a size, the value after the last one is the first one.

    ``within`` names the ends of a range, if they are not named as what stands alone.
    """
    ends = within or name
    step = values[1] - values[0] if len(values) > 4 else 1
    if step > 1 and all(later - value == step for value, later in pairwise(values)):
        return row("", [name(values[0]), ", ", name(values[1]), ", … ", name(values[-1])])
    runs: list[list[int]] = []
    for value in values:
        follows = runs and (value - runs[-1][-1] == 1 or (size and (value - runs[-1][-1]) % size == 1))
        if follows:
            runs[-1].append(value)
        else:
            runs.append([value])
    parts: list[str] = []
    for run in runs:
        if len(run) > 2:
            parts.append(phrase_in(*to, first=ends(run[0]), last=ends(run[-1])))
        else:
            parts.extend(name(value) for value in run)
    return join(parts)


def begins_with_a_range(text: str) -> bool:
    return " to " in text.partition(",")[0].partition(" and ")[0]


def join(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return parts[0] if parts else ""
    return phrase("{most} and {last}", most=row(", ", parts[:-1]), last=parts[-1])
