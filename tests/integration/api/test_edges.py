"""Values at the edges of what can be held: they are answered, and never with an error of the server."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from scheduler import conf
from scheduler.services import jobs
from tests.integration.api.conftest import Caller

EDGES = (
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00",
    "9999-12-30T00:00:00Z",
    "9998-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
)
TRIGGERS: tuple[dict[str, Any], ...] = (
    {"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"},
    {"type": "cron", "fields": {"hour": "3"}, "timezone": "Pacific/Kiritimati"},
    {"type": "interval", "minutes": 5},
    {"type": "calendar", "days": 1, "at": "10:00", "timezone": "Asia/Tokyo"},
    {"type": "calendar", "months": 1, "at": "10:00", "timezone": "America/New_York"},
)


def _cursor(*document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


class TestInstantsAtTheEnds:
    @pytest.mark.parametrize("after", EDGES)
    @pytest.mark.parametrize("trigger", TRIGGERS, ids=str)
    def test_are_where_a_preview_may_begin(self, api: Caller, trigger: dict[str, Any], after: str) -> None:
        jobs.create(id="a", task="sample.nothing", trigger=trigger)
        asked = {"count": 5, "after": after}

        described = api.send("post", "triggers/describe", {"trigger": trigger, **asked})
        previewed = api.send("post", "jobs/a/preview", {"trigger": trigger, **asked})

        assert described.status_code in (200, 400, 422), described.content
        assert previewed.status_code in (200, 400, 404, 405, 422), previewed.content


class TestACursorThatNobodyGave:
    @pytest.mark.parametrize(
        "value", ["x", {"at": "2026-01-01T00:00:00Z"}, {"at": "x"}, 2**70, -(2**70), True, None, 1.5]
    )
    @pytest.mark.parametrize("path", ["runs", "changes"])
    def test_is_refused(self, api: Caller, path: str, value: Any) -> None:
        answer = api.get(path, {"cursor": _cursor("id", True, True, [value])})

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["parameter"] == "cursor"

    @pytest.mark.parametrize(
        ("order", "values"), [("name", [1, 2]), ("next_run_time", ["x", "y"]), ("last_run", [7, "y"]), ("id", [5])]
    )
    def test_is_refused_by_each_order_of_the_jobs(self, api: Caller, order: str, values: list[Any]) -> None:
        column = {"id": "pk", "last_run": "last_run_at"}.get(order, order)

        answer = api.get("jobs", {"order": order, "cursor": _cursor(column, False, True, values)})

        assert answer.status_code == 400


class TestTheRateLimit:
    def test_is_told_before_it_is_reached(self, api: Caller) -> None:
        first, second = api.get("jobs"), api.get("jobs")

        limit = conf.get().api_reads_per_minute
        assert first.headers["RateLimit-Policy"] == f'"reads";q={limit};w=60'
        left = [int(re.findall(r"r=(\d+)", answer.headers["RateLimit"])[0]) for answer in (first, second)]
        assert left[0] - left[1] == 1
