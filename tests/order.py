"""The order in which the workers of pytest-xdist take tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import pytest


def dealt(items: Sequence[pytest.Item], *, is_long: Callable[[pytest.Item], bool], workers: int) -> list[pytest.Item]:
    """
    Return the tests so that half of the workers begin with the long ones.

    Long tests mostly wait, and the others keep processors busy meanwhile. ``--dist worksteal`` cuts the list into a
    part for each worker, and an idle one steals from the end of a part: the last tests of a run are short. Tests of a
    folder stay together, for the sake of a browser that starts once, those of the first folder first. So do tests with
    the same mark ``xdist_group`` stay together, for the sake of a fixture that is costly to make.
    """
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    groups: dict[str, list[pytest.Item]] = {}
    for item in sorted(filter(is_long, items), key=_folder):
        groups.setdefault(_group(item), []).append(item)
    for group in groups.values():
        min(hands[: (workers + 1) // 2], key=len).extend(group)
    others = (item for item in items if not is_long(item))
    found: list[pytest.Item] = []
    for number, hand in enumerate(hands):
        size = (len(items) - len(found)) // (workers - number)
        found += [*hand, *islice(others, max(0, size - len(hand)))]
    return [*found, *others]


def _folder(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0].rpartition("/")[0]


def _group(item: pytest.Item) -> str:
    mark = item.get_closest_marker("xdist_group")
    return str(mark.args[0]) if mark else item.nodeid
