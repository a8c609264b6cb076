from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from scheduler import context
from scheduler.context import CurrentRun
from scheduler.execution.logs import PrintedLines, RunLogHandler
from scheduler.logbook import MASK, Logbook, masked


def run_of(*, publish: Callable[[CurrentRun], None] | None = None) -> CurrentRun:
    return CurrentRun(
        run_id=1,
        job_id="job",
        job_name="job",
        task="task",
        scheduled_at=datetime(2027, 3, 1, tzinfo=UTC),
        attempt=1,
        node="node",
        publish=publish,
    )


@pytest.fixture
def run() -> CurrentRun:
    return run_of()


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

    def test_does_not_fail_the_task_whose_message_cannot_be_read(self, run: CurrentRun) -> None:
        class Unreadable:
            def __str__(self) -> str:
                raise ValueError("no words")

        token = context.enter(run)
        RunLogHandler().emit(logging.LogRecord("shop", logging.ERROR, __file__, 1, Unreadable(), (), None))
        context.leave(token)

        assert run.logbook is not None
        assert run.logbook.text().endswith("shop: (its message could not be read: ValueError)")

    def test_holds_nobody_up_who_logs_beside_a_run_that_waits(self) -> None:
        handler = RunLogHandler()
        is_waiting, may_go_on = threading.Event(), threading.Event()

        def wait(_: CurrentRun) -> None:
            is_waiting.set()
            may_go_on.wait(120)

        def log_in_a_run() -> None:
            context.enter(run_of(publish=wait))
            handler.handle(record("page 7"))

        waiting = threading.Thread(target=log_in_a_run)
        waiting.start()
        assert is_waiting.wait(120)
        other = threading.Thread(target=lambda: handler.handle(record("of nobody")))
        other.start()
        other.join(120)

        assert not other.is_alive()
        assert waiting.is_alive()
        may_go_on.set()
        waiting.join(120)


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
