from __future__ import annotations

from pathlib import Path

from openlearn.db import embedded
from openlearn.db.embedded import SETTINGS, EmbeddedServer


class TestTheLog:
    def test_has_no_statements_which_may_hold_outputs_of_runs(self) -> None:
        assert SETTINGS["log_min_error_statement"] == "panic"

    def test_is_put_aside_at_a_start_when_it_is_long(self, tmp_path: Path) -> None:
        server = EmbeddedServer(tmp_path)
        server.cluster.mkdir()
        server.log.write_bytes(b"short")
        server._put_long_log_aside()
        assert server.log.exists()

        for content in (b"a", b"b"):
            server.log.write_bytes(content * (embedded._LONGEST_LOG + 1))
            server._put_long_log_aside()

        assert not server.log.exists()
        assert (server.cluster / "server.log.1").read_bytes()[:1] == b"b"

    def test_may_be_missing(self, tmp_path: Path) -> None:
        EmbeddedServer(tmp_path)._put_long_log_aside()
