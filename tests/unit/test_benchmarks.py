"""What benchmarks read and draw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.benchmarks import charts
from tests.benchmarks.enqueueing import body
from tests.benchmarks.horizons.contest import Begun, is_hopeless
from tests.benchmarks.horizons.statements import Log, durations

LOG = """\
2026-11-27 18:00:00.000 UTC [1] LOG:  duration: 1.500 ms  statement: SET LOCAL a = 1;EXECUTE take_runs_1 (
\t'a',
\t2)
2026-11-27 18:00:00.100 UTC [1] DETAIL:  prepare: PREPARE take_runs_1 AS SELECT 1
2026-11-27 18:00:00.200 UTC [2] LOG:  duration: 0.250 ms  execute P_1: SELECT id
\t  FROM jobs
\t   FOR UPDATE SKIP LOCKED
2026-11-27 18:00:00.300 UTC [2] LOG:  duration: 9.000 ms  bind P_1: SELECT id FROM jobs FOR UPDATE SKIP LOCKED
2026-11-27 18:00:00.400 UTC [3] LOG:  checkpoint starting: time
"""


class TestTheTimesInTheLog:
    def test_are_those_of_the_statement_with_the_pattern(self) -> None:
        assert durations(LOG, "take_runs_") == [1.5]

    def test_are_found_by_a_later_line_and_without_the_step_before_the_execution(self) -> None:
        assert durations(LOG, "SKIP LOCKED") == [0.25]

    def test_are_read_once(self, tmp_path: Path) -> None:
        path = tmp_path / "log"
        path.write_text(
            "2026-11-27 17:00:00.000 UTC [1] LOG:  duration: 7.000 ms  statement: EXECUTE take_runs_1 (1)\n"
        )
        log = Log(path)
        with path.open("a") as file:
            file.write(LOG)

        assert log.durations("take_runs_") == [1.5]
        assert log.durations("take_runs_") == []


class TestBodiesThatBegan:
    def test_are_counted_once_with_their_lateness(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "begun"
        monkeypatch.setenv(body.VARIABLE, str(path))
        path.write_text("100.010 100.000\n100.250 100.000\n100.3")
        begun = Begun()

        first = begun.figures()
        with path.open("a") as file:
            file.write("00 100.200\n")

        assert (first["runs"], first["late_p50_ms"], first["late_max_ms"]) == (2, 250.0, 250.0)
        assert begun.figures()["late_max_ms"] == pytest.approx(100.0, abs=0.1)
        assert begun.count == 3


class TestAContestant:
    @pytest.mark.parametrize(
        ("phase", "runs", "waiting", "expected"),
        [("calm", 5000, 1000, True), ("calm", 5900, 1000, False), ("transaction", 5000, 1000, False)],
    )
    def test_stops_if_it_cannot_keep_up_before_a_transaction_is_open(
        self, phase: str, runs: int, waiting: int, expected: bool
    ) -> None:
        period = {"phase": phase, "runs": runs, "waiting": waiting}

        assert is_hopeless(period, rate=100, seconds=60) is expected


class TestLines:
    def test_rise_with_their_values_and_end_where_the_values_end(self) -> None:
        lines = [
            charts.Line(title="ours", values=[1, 100, 10_000], is_ours=True),
            charts.Line(title="other", values=[10], is_ours=False),
        ]

        drawn = charts.draw_lines("Rates", [charts.Lines(title="ms", lines=lines)], steps=["0", "1", "2"])

        ours, other = (
            [tuple(map(float, point.split(","))) for point in points.split()]
            for points in re.findall(r'<polyline points="([^"]*)"', drawn)
        )
        heights = [-down for _, down in ours]
        assert heights == sorted(set(heights))
        assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=1.5)  # powers of ten
        assert len(other) == 1
