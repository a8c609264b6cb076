"""What nodes hear of what others do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from scheduler.store.sessions.connections import Connection
from scheduler.store.sessions.notifications import Channel, Hint, Listener
from tests.waiting import wait_until

_numbers = count(1)


@contextmanager
def hearing() -> Iterator[Callable[[], set[Hint]]]:
    """
    Yield a function that returns the hints of all commits since it was called last.

    A hint arrives a moment after its commit, and hints arrive in the order of the commits: the function sends one of
    its own and waits for that.
    """
    listener, speaker = Listener(), Connection(purpose="test")
    listener.wait(timeout=0)
    speaker.execute("probe")  # both keep to the address of this moment

    def heard() -> set[Hint]:
        mark = Hint(Channel.CANCEL, f"mark {next(_numbers)}")
        speaker.execute("notify", channel=mark.channel.value, subject=mark.subject)
        found: set[Hint] = set()

        def has_come() -> bool:
            found.update(listener.wait(timeout=1))
            return mark in found

        wait_until(has_come)
        return found - {mark}

    yield heard
    listener.close()
    speaker.close()
