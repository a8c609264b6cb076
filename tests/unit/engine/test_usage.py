"""The memory and the processor time of a node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from scheduler.engine.usage import Meter

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def clock() -> Iterator[int]:
    """Ten seconds pass between two measurements."""
    return count(step=10)


def write(proc: Path, pid: int, *, seconds: float, pages: int) -> None:
    fields = ["0"] * 50
    fields[11], fields[12], fields[21] = str(int(seconds * TICK)), "0", str(pages)
    (proc / str(pid)).mkdir(exist_ok=True)
    (proc / str(pid) / "stat").write_text(f"{pid} (a ) b) {' '.join(fields)}\n")


class TestAMeter:
    def test_adds_up_the_process_and_its_children(self, tmp_path: Path) -> None:
        seconds = clock()
        meter = Meter(clock=lambda: float(next(seconds)), proc=tmp_path)
        write(tmp_path, os.getpid(), seconds=100, pages=3)
        write(tmp_path, 77, seconds=50, pages=2)
        first = meter.measure(children=[77])
        write(tmp_path, os.getpid(), seconds=105, pages=4)
        write(tmp_path, 77, seconds=60, pages=2)

        second = meter.measure(children=[77, 78])

        assert (first.memory_bytes, first.processors) == (5 * PAGE, None)
        assert (second.memory_bytes, second.processors) == (6 * PAGE, 1.5)

    def test_counts_a_new_child_from_its_begin_and_forgets_one_that_ended(self, tmp_path: Path) -> None:
        seconds = clock()
        meter = Meter(clock=lambda: float(next(seconds)), proc=tmp_path)
        write(tmp_path, os.getpid(), seconds=1, pages=1)
        write(tmp_path, 77, seconds=50, pages=2)
        meter.measure(children=[77])
        write(tmp_path, 78, seconds=5, pages=2)

        assert meter.measure(children=[78]).processors == 0.5

    def test_knows_the_processor_alone_where_the_system_has_no_such_files(self, tmp_path: Path) -> None:
        seconds = clock()
        meter = Meter(clock=lambda: float(next(seconds)), proc=tmp_path)
        meter.measure(children=[])

        found = meter.measure(children=[])

        assert found.memory_bytes is None
        assert found.processors is not None
        assert 0 <= found.processors < 1

    def test_measures_this_process(self) -> None:
        meter = Meter()
        meter.measure(children=[])

        found = meter.measure(children=[])

        assert found.processors is not None
        assert found.memory_bytes is None or found.memory_bytes > 10_000_000
