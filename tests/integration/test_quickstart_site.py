"""The port on which quickstart serves: it is taken at once, and is another one where the usual one is taken."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from openlearn.quickstart import site


class TestListenNearby:
    def test_takes_the_first_port_from_the_usual_one_on_that_is_free(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with ExitStack() as taken:
            usual = _two_in_a_row(taken)
            monkeypatch.setattr(site, "DEFAULT_PORT", usual)

            listener = taken.enter_context(site.listen_nearby())

            assert usual + 1 < site.port_of(listener) < usual + 20

    def test_takes_any_other_one_when_its_neighbours_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        listen = site.listen

        def listen_anywhere(port: int) -> socket.socket:
            if port:
                raise OSError("taken")
            return listen(port)

        monkeypatch.setattr(site, "listen", listen_anywhere)

        with site.listen_nearby() as listener:
            assert site.port_of(listener) not in range(site.DEFAULT_PORT, site.DEFAULT_PORT + 20)


class TestListen:
    def test_takes_the_port_for_itself(self) -> None:
        with site.listen(0) as listener, pytest.raises(OSError, match="in use"):
            site.listen(site.port_of(listener))


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
