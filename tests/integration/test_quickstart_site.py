"""The port on which quickstart serves where the usual one is taken."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from openlearn.quickstart import site


class TestAFreePort:
    def test_is_the_first_one_after_the_usual_one_that_is_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ExitStack() as taken:
            usual = _two_in_a_row(taken)
            monkeypatch.setattr(site, "DEFAULT_PORT", usual)

            found = site.free_port()

            assert usual + 1 < found < usual + 20
            assert site.free_port() == found, "it stays the same at the next start"

    def test_is_any_other_one_when_its_neighbours_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(site, "is_free", lambda _port: False)

        found = site.free_port()

        assert found not in range(site.DEFAULT_PORT, site.DEFAULT_PORT + 20)
        with socket.create_server((site.HOST, found)):
            pass


def _two_in_a_row(taken: ExitStack) -> int:
    """Listen on two neighbouring ports and return the first."""
    for _ in range(50):
        first = taken.enter_context(socket.create_server((site.HOST, 0))).getsockname()[1]
        try:
            taken.enter_context(socket.create_server((site.HOST, first + 1)))
        except (OSError, OverflowError):
            continue
        return int(first)
    raise AssertionError("No two neighbouring ports are free.")
