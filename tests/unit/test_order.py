from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.order import dealt


@dataclass(frozen=True)
class Item:
    nodeid: str
    group: str = ""

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        assert name == "xdist_group"
        return pytest.mark.xdist_group(self.group).mark if self.group else None


@dataclass
class Run:
    """As many parts as ``--dist worksteal`` makes of the list."""

    items: list[Item]
    workers: int = 3
    parts: list[list[Item]] = field(default_factory=list)

    def __post_init__(self) -> None:
        left = dealt(self.items, is_long=_is_long, workers=self.workers)  # type: ignore[arg-type,type-var]
        self.order = list(left)
        for number in range(self.workers):
            size = len(left) // (self.workers - number)
            self.parts.append(left[:size])  # type: ignore[arg-type]
            left = left[size:]


def _is_long(item: Item) -> bool:
    return item.nodeid.startswith("long")


SHORT = [Item(f"short-{number}") for number in range(50)]
LONG = [Item(f"long-{number}") for number in range(7)]


class TestTheOrderOfTests:
    @pytest.mark.parametrize(("workers", "shares"), [(2, [7, 0]), (3, [4, 3, 0]), (4, [4, 3, 0, 0])])
    def test_lets_half_of_the_workers_begin_with_the_long_ones(self, workers: int, shares: list[int]) -> None:
        run = Run([*SHORT, *LONG], workers=workers)

        longs = [[_is_long(item) for item in part] for part in run.parts]
        assert [sum(part) for part in longs] == shares
        assert all(part == sorted(part, reverse=True) for part in longs)

    def test_has_every_test_once(self) -> None:
        for items in ([*SHORT, *LONG], LONG, SHORT, LONG[:1], []):
            assert sorted(item.nodeid for item in Run(list(items)).order) == sorted(item.nodeid for item in items)

    def test_keeps_those_of_a_folder_together(self) -> None:
        folders = [Item(f"long/{folder}/{number}") for number in range(6) for folder in ("browser", "scenarios")]

        run = Run([*folders, *SHORT])

        for part in run.parts:
            names = [item.nodeid.split("/")[1] for item in part if _is_long(item)]
            assert names == sorted(names)

    def test_keeps_those_of_a_group_together(self) -> None:
        group = [Item(f"long-of-a-group-{number}", group="one") for number in range(4)]

        for items in ([*LONG[:3], *group, *LONG[3:], *SHORT], [*group[:2], *LONG, *SHORT, *group[2:]]):
            run = Run(items)

            assert sum(bool(set(part) & set(group)) for part in run.parts) == 1
