"""The port on which quickstart serves: it is taken at once, and is another one where the usual one is taken."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from openlearn.quickstart import site


class TestAPort:
    def test_is_the_first_one_from_the_usual_one_on_that_is_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ExitStack() as taken:
            usual = _two_in_a_row(taken)
            monkeypatch.setattr(site, "DEFAULT_PORT", usual)

            listener = taken.enter_context(site.take(None))

            assert usual + 1 < site.port_of(listener) < usual + 20

    def test_is_any_other_one_when_its_neighbours_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        listen = site._listen

        def listen_anywhere(port: int) -> socket.socket:
            if port:
                raise site.PortRefused("It is taken.")
            return listen(port)

        monkeypatch.setattr(site, "_listen", listen_anywhere)

        with site.take(None) as listener:
            assert site.port_of(listener) not in range(site.DEFAULT_PORT, site.DEFAULT_PORT + 20)

    def test_that_is_taken_is_refused_to_others(self) -> None:
        with site.take(0) as listener, pytest.raises(site.PortRefused, match="is taken by another program"):
            site.take(site.port_of(listener))


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
