from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from scheduler import conf
from scheduler.errors import Misconfigured


@pytest.fixture(autouse=True)
def unread(settings: Any) -> Iterator[None]:
    """Read the settings anew, here and in the next test."""
    conf.get.cache_clear()
    yield
    conf.get.cache_clear()


class TestTheSettings:
    def test_have_defaults(self, settings: Any) -> None:
        settings.SCHEDULER = {}

        assert conf.get() == conf.SchedulerSettings()

    def test_are_refused_under_a_name_that_does_not_exist(self, settings: Any) -> None:
        settings.SCHEDULER = {"THREAD": 5, "THREADS": 5}

        with pytest.raises(Misconfigured, match=r"unknown keys: THREAD\."):
            conf.get()

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            ({"THREADS": 0}, "THREADS"),
            ({"PROCESSES": -1}, "PROCESSES"),
            ({"CLAIM_BATCH": 0}, "CLAIM_BATCH"),
            ({"CATCH_UP_LIMIT": 0}, "CATCH_UP_LIMIT"),
            ({"LEASE_SECONDS": 30.0}, "LEASE_SECONDS < REAP_AFTER_SECONDS"),
            ({"HEARTBEAT_SECONDS": 20.0}, "HEARTBEAT_SECONDS < LEASE_SECONDS"),
        ],
    )
    def test_are_refused_by_name_out_of_their_range(self, settings: Any, given: dict[str, Any], named: str) -> None:
        settings.SCHEDULER = given

        with pytest.raises(Misconfigured, match=named):
            conf.get()
