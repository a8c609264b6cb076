from __future__ import annotations

import io
import json
import logging
import logging.config
import sys
from typing import Any
from unittest import mock

import pytest

from openlearn import logs


def written(form: str, *, extra: dict[str, Any], fails: bool = False, event: str = "scheduler.run.finished") -> str:
    """Return what one record reads like under the configuration."""
    configured = logs.configuration(form=form, level="INFO")["formatters"]["line"]
    factory = configured.pop("()")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(factory(**configured))
    logger = logging.Logger("scheduler.engine")  # noqa: LOG001 - one that no configuration knows
    logger.addHandler(handler)
    if fails:
        try:
            raise ValueError("broken feed")
        except ValueError:
            logger.exception("scheduler.run.failed", extra=extra)
    else:
        logger.info(event, extra=extra)
    return stream.getvalue()


class TestText:
    def test_has_the_event_and_its_facts_without_colour_in_a_pipe(self) -> None:
        line = written("text", extra={"job": "scrape", "duration_ms": 12})

        assert "scheduler.run.finished" in line
        assert "job=scrape" in line
        assert "duration_ms=12" in line
        assert "\x1b[" not in line
        assert line.count("\n") == 1

    @pytest.mark.parametrize("place", ["event", "fact"])
    def test_keeps_what_others_wrote_on_the_line_of_its_record(self, place: str) -> None:
        forged = "no\n2027-03-01T12:00:00Z [info] all is well\r\x1b[2J\x9b\u2028\u202e"

        line = written("text", extra={}, event=forged) if place == "event" else written("text", extra={"error": forged})

        assert len(line.splitlines()) == 1
        assert "no␊2027-03-01T12:00:00Z [info] all is well␍␛[2J\ufffd\ufffd\ufffd" in line

    def test_shows_a_traceback(self) -> None:
        assert "ValueError: broken feed" in written("text", extra={}, fails=True)


class TestColour:
    @pytest.mark.parametrize(
        ("is_terminal", "environment", "expected"),
        [
            (True, {}, True),
            (True, {"NO_COLOR": ""}, True),
            (True, {"NO_COLOR": "1"}, False),
            (True, {"TERM": "dumb"}, False),
            (False, {}, False),
        ],
    )
    def test_is_for_terminals_where_nobody_asked_for_none(
        self, is_terminal: bool, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stderr", mock.Mock(isatty=lambda: is_terminal))
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        assert logs._may_color() is expected


class TestJson:
    def test_is_one_object_a_line(self) -> None:
        found = json.loads(written("json", extra={"job": "scrape", "pages": 3}))

        assert found["event"] == "scheduler.run.finished"
        assert (found["level"], found["logger"]) == ("info", "scheduler.engine")
        assert (found["job"], found["pages"]) == ("scrape", 3)
        assert found["time"].endswith("Z")

    def test_has_the_traceback_in_a_field(self) -> None:
        found = json.loads(written("json", extra={}, fails=True))

        assert "ValueError: broken feed" in found["exception"]

    def test_writes_what_json_does_not_know_as_text(self) -> None:
        assert json.loads(written("json", extra={"where": object}))["where"] == "<class 'object'>"


class TestConfiguration:
    @pytest.mark.parametrize("form", ["text", "json"])
    def test_is_accepted_by_logging(self, form: str) -> None:
        assert logging.config.DictConfigurator(logs.configuration(form=form, level="INFO"))
