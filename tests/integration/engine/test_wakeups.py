from __future__ import annotations

import pytest

from scheduler.engine.wakeups import Wakeups
from scheduler.store.sessions.notifications import ANYTHING, Channel, Hint, Listener, notify
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


class TestWakeups:
    def test_go_on_after_a_fault_of_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        failures = [RuntimeError("a fault of ours")]
        wait = Listener.wait

        def fail_first(listener: Listener, *, timeout: float) -> frozenset[Hint]:
            if failures:
                raise failures.pop()
            return wait(listener, timeout=timeout)

        monkeypatch.setattr(Listener, "wait", fail_first)
        wakeups = Wakeups()
        wakeups.start()
        try:
            wait_until(lambda: wakeups.heard() == ANYTHING)  # it listens from now on

            notify(Channel.CANCEL)

            assert wait_until(wakeups.heard) == {Hint(Channel.CANCEL)}
        finally:
            wakeups.stop()
        assert not failures
