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

        with pytest.raises(Misconfigured, match=r"unknown keys: THREAD \(did you mean THREADS\?\)\."):
            conf.get()

    def test_are_refused_without_a_guess_where_none_is_near(self, settings: Any) -> None:
        settings.SCHEDULER = {"ZEBRAS": 5}

        with pytest.raises(Misconfigured, match=r"unknown keys: ZEBRAS\."):
            conf.get()

    @pytest.mark.parametrize(
        ("given", "named"),
        [
            ({"THREADS": 0}, "THREADS"),
            ({"PROCESSES": -1}, "PROCESSES"),
            ({"CLAIM_BATCH": 0}, "CLAIM_BATCH"),
            ({"CATCH_UP_LIMIT": 0}, "CATCH_UP_LIMIT"),
            ({"LEASE_SECONDS": 30.0}, "LEASE_SECONDS < REAP_AFTER_SECONDS"),
            ({"THREADS": 10**9}, "THREADS"),
            ({"POLL_SECONDS": float("nan")}, "POLL_SECONDS"),
            ({"POLL_SECONDS": float("inf")}, "POLL_SECONDS.*less than a year"),
            ({"RETENTION_DAYS": 0}, "RETENTION_DAYS"),
            ({"NODE_NAME": "x" * 256}, "NODE_NAME"),
            ({"ENVIRONMENT": "a\nb"}, "ENVIRONMENT"),
            ({"ALLOWED_HOSTS": ("http://intranet/",)}, "ALLOWED_HOSTS"),
            ({"HEARTBEAT_SECONDS": 20.0}, "HEARTBEAT_SECONDS < LEASE_SECONDS"),
        ],
    )
    def test_are_refused_by_name_out_of_their_range(self, settings: Any, given: dict[str, Any], named: str) -> None:
        settings.SCHEDULER = given

        with pytest.raises(Misconfigured, match=named):
            conf.get()

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"THREADS": "5"}, "'5'. It must be a whole number"),
            ({"THREADS": True}, "True. It must be a whole number"),
            ({"POLL_SECONDS": None}, "None. It must be a number"),
            ({"ENABLED": "no"}, "'no'. It must be True or False"),
            ({"TASK_MODULES": "shop.jobs"}, "'shop.jobs'. It must be a list of texts"),
        ],
    )
    def test_are_refused_with_another_type(self, settings: Any, given: dict[str, Any], sentence: str) -> None:
        settings.SCHEDULER = given

        with pytest.raises(Misconfigured, match=sentence):
            conf.get()

    def test_may_be_lists_and_none(self, settings: Any) -> None:
        settings.SCHEDULER = {"ALLOWED_HOSTS": ["intranet:8000"], "CHILD_MEMORY_MB": None, "POLL_SECONDS": 2}

        assert conf.get().allowed_hosts == ("intranet:8000",)
