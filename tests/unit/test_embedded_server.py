from __future__ import annotations

from pathlib import Path

from openlearn.db import programs
from openlearn.db.embedded import SETTINGS


class TestTheLog:
    def test_has_no_statements_which_may_hold_outputs_of_runs(self) -> None:
        assert SETTINGS["log_min_error_statement"] == "panic"

    def test_is_put_aside_at_a_start_when_it_is_long(self, tmp_path: Path) -> None:
        log = tmp_path / "server.log"
        log.write_bytes(b"short")
        programs.put_long_log_aside(log)
        assert log.exists()

        for content in (b"a", b"b"):
            log.write_bytes(content * (programs.LONGEST_LOG + 1))
            programs.put_long_log_aside(log)

        assert not log.exists()
        assert (tmp_path / "server.log.1").read_bytes()[:1] == b"b"

    def test_may_be_missing(self, tmp_path: Path) -> None:
        programs.put_long_log_aside(tmp_path / "server.log")
