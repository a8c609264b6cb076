from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from scheduler import context
from scheduler.context import CurrentRun
from scheduler.execution.logs import PrintedLines, RunLogHandler
from scheduler.logbook import MASK, Logbook, masked


@pytest.fixture
def run() -> CurrentRun:
    return CurrentRun(
        run_id=1,
        job_id="job",
        job_name="job",
        task="task",
        scheduled_at=datetime(2027, 3, 1, tzinfo=UTC),
        attempt=1,
        node="node",
    )


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("shop", logging.ERROR, __file__, 1, message, args, None)


class TestRunLogHandler:
    def test_keeps_records_of_the_current_run(self, run: CurrentRun) -> None:
        token = context.enter(run)
        RunLogHandler().emit(record("page %d", 7))
        context.leave(token)

        assert run.logbook is not None
        assert run.logbook.text().endswith("ERROR   shop: page 7")

    def test_passes_by_records_of_nobody(self, run: CurrentRun) -> None:
        RunLogHandler().emit(record("page"))

        assert run.logbook is None

    def test_keeps_the_words_of_a_record_whose_arguments_do_not_fit(self, run: CurrentRun) -> None:
        token = context.enter(run)
        RunLogHandler().emit(record("page %d", "seven"))
        context.leave(token)

        assert run.logbook is not None
        assert run.logbook.text().endswith("shop: page %d")


class TestPrintedLines:
    def test_keeps_whole_lines_and_the_last_one_at_the_end(self, run: CurrentRun) -> None:
        original = io.StringIO()
        printed = PrintedLines(name="stdout", original=original)
        token = context.enter(run)
        printed.write("a")
        printed.write("b\nc")
        printed.finish()
        context.leave(token)
        printed.write("outside\n")

        assert run.logbook is not None
        assert [line.split(": ")[1] for line in run.logbook.text().splitlines()] == ["ab", "c"]
        assert original.getvalue() == "outside\n"


class TestLogbook:
    def test_keeps_the_first_and_the_last_lines(self) -> None:
        logbook = Logbook(limit=200)
        for number in range(1000):
            logbook.write(f"line {number}")

        lines = logbook.text().splitlines()

        assert lines[0] == "line 0"
        assert lines[-1] == "line 999"
        (note,) = [line for line in lines if "left out" in line]
        assert f"… {1000 - (len(lines) - 1)} lines left out here …" == note
        assert len(logbook.text().encode()) < 300

    def test_tells_nothing_when_nothing_is_left_out(self) -> None:
        logbook = Logbook(limit=200)
        logbook.write("only")

        assert logbook.text() == "only"

    def test_cuts_a_line_without_end(self) -> None:
        logbook = Logbook(limit=100_000)
        logbook.write("x" * 1_000_000)

        assert logbook.text().endswith("… (991808 more characters)")

    def test_shows_control_characters_by_their_pictures(self) -> None:
        logbook = Logbook(limit=1000)
        logbook.write("\x00\x1b[31m\x7f\ud800\t|")

        assert logbook.text() == "␀␛[31m␡\ufffd\t|"

    def test_masks_secrets(self) -> None:
        logbook = Logbook(limit=1000, secrets=("hunter2",))
        logbook.write("password=hunter2")

        assert logbook.text() == "password=•••"


class TestMasked:
    @pytest.mark.parametrize(
        "spell",
        [str, json.dumps, lambda text: json.dumps(text, ensure_ascii=False), repr],
        ids=("plain", "JSON", "readable JSON", "repr"),
    )
    @pytest.mark.parametrize("secret", ["hunter2", 'pass"word', "back\\slash", "Grüße\tan 'alle' \"hier\""])
    def test_finds_a_secret_however_it_is_escaped(self, spell: Callable[[str], str], secret: str) -> None:
        hidden = masked(f"before {spell(secret)} after", [secret])

        assert hidden.replace('"', "").replace("'", "") == f"before {MASK} after"
