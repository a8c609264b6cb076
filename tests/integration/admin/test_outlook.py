"""What comes, what was, how a job did over weeks, and what runs on a node."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.admin.format.display_zone import COOKIE
from scheduler.models import Rollup
from scheduler.services.queries import job_statistics, outlook
from tests.integration.admin.runs import node, run
from tests.integration.admin.test_jobs import make
from tests.waiting import keep_to_one

pytestmark = pytest.mark.django_db
OUTLOOK = reverse("admin:scheduler_outlook")


def rolled_up(job: str, *, hours_ago: int, **numbers: int) -> Rollup:
    hour = (timezone.now() - timedelta(hours=hours_ago)).replace(minute=0, second=0, microsecond=0)
    return Rollup.objects.create(job_key=job, hour=hour, last_finished_at=hour, **numbers)


class TestTheOutlook:
    def test_lists_single_runs_by_hour_and_by_day(self, client: Client) -> None:
        at = timezone.now() + timedelta(hours=3)
        make("daily", trigger={"type": "cron", "expression": f"{at.minute} {at.hour} * * *", "timezone": "UTC"})

        context = client.get(OUTLOOK).context

        assert [(row["number"], row["jobs"][0]["name"]) for row in context["hours"]] == [("1", "daily")]
        assert len(context["days"]) == 7
        assert context["hours"][0]["jobs"][0]["at"] == f"{timezone.localtime(at):%H:%M}"

    def test_describes_what_runs_too_often_to_list(self, client: Client) -> None:
        make("often", trigger={"type": "interval", "minutes": 1})

        context = client.get(OUTLOOK).context

        assert [(job["name"], job["when"]) for job in context["frequent"]] == [("often", "every minute")]
        assert context["hours"] == []

    def test_leaves_out_what_is_paused(self, client: Client) -> None:
        make("resting", paused=True)

        assert "resting" not in client.get(OUTLOOK).content.decode()

    def test_draws_the_last_days_with_a_way_to_the_runs_of_each_hour(self, client: Client) -> None:
        keep_to_one(timedelta(hours=1))
        rolled_up("a", hours_ago=2, succeeded=3)
        rolled_up("b", hours_ago=2, succeeded=1, failed=2)

        cells = [cell for row in client.get(OUTLOOK).context["heat"] for cell in row["cells"] if cell["address"]]

        assert [(cell["tone"], cell["mark"]) for cell in cells] == [("bad", "✕2")]
        assert "tab=failed" in cells[0]["address"]
        assert client.get(cells[0]["address"]).context["problem"] == ""

    def test_has_one_cell_for_the_hour_that_comes_twice(self, login: Callable[..., Client]) -> None:
        with time_machine.travel("2026-10-26T12:00Z", tick=False):
            client = login()
            client.cookies[COOKIE] = "Europe/Berlin"
            for hours_ago in (35, 36):  # 02:00 with and without daylight saving time
                rolled_up("a", hours_ago=hours_ago, succeeded=1, failed=2)

            days = client.get(OUTLOOK).context["heat"]

        cells = {(day["day"], hour): cell for day in days for hour, cell in enumerate(day["cells"]) if cell["mark"]}
        assert {place: cell["mark"] for place, cell in cells.items()} == {("Sun 25 Oct", 2): "✕4"}
        assert "since=2026-10-25T00" in cells["Sun 25 Oct", 2]["address"]
        assert "until=2026-10-25T02" in cells["Sun 25 Oct", 2]["address"]

    def test_costs_the_same_for_any_number_of_jobs(self, client: Client, django_assert_max_num_queries: object) -> None:
        for number in range(30):
            make(f"job-{number}", trigger={"type": "interval", "days": 1})

        with django_assert_max_num_queries(8):  # type: ignore[operator]
            client.get(OUTLOOK)


class TestTheHoursThatEnded:
    @pytest.fixture(autouse=True)
    def nothing_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keep_to_one(timedelta(hours=1))
        monkeypatch.setattr(outlook, "_kept", None)

    def test_add_up_what_ended_in_them_over_all_jobs(self) -> None:
        now = timezone.now()
        rolled_up("a", hours_ago=30, succeeded=1)
        rolled_up("a", hours_ago=5, succeeded=1, failed=2, skipped=4, left_out=3)
        rolled_up("b", hours_ago=5, succeeded=2, timed_out=1, interrupted=1, missed=1)

        (hour,) = outlook.ended(since=now - timedelta(hours=24), now=now)

        assert (hour.succeeded, hour.failed, hour.passed, hour.left_out, hour.ended) == (3, 4, 2, 3, 12)

    def test_are_read_anew_while_they_are_few_roll_ups(self) -> None:
        self._add_up(succeeded=1)

        assert self._add_up(succeeded=2) == [1, 2]

    def test_are_kept_when_they_are_over_and_have_many_roll_ups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outlook, "_MANY", 2)
        now = timezone.now()
        rolled_up("a", hours_ago=30, succeeded=1)
        rolled_up("a", hours_ago=5, succeeded=1)
        rolled_up("a", hours_ago=0, succeeded=1)
        for since in (timedelta(days=2), timedelta(hours=24)):
            outlook.ended(since=now - since, now=now)
        Rollup.objects.update(succeeded=5)

        found = [hour.succeeded for hour in outlook.ended(since=now - timedelta(hours=24), now=now)]
        longer = [hour.succeeded for hour in outlook.ended(since=now - timedelta(days=3), now=now)]

        assert found == [1, 5]  # those that are over are read with the next longer time, or minutes later
        assert longer == [5, 5, 5]

    def test_are_added_up_again_after_some_minutes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outlook, "_MANY", 1)
        monkeypatch.setattr(outlook, "_KEPT_SECONDS", 0.0)
        self._add_up(succeeded=1)

        assert self._add_up(succeeded=2) == [1, 2]

    def _add_up(self, *, succeeded: int) -> list[int]:
        now = timezone.now()
        rolled_up(f"job-{succeeded}", hours_ago=4 + 2 * succeeded, succeeded=succeeded)
        return sorted(hour.succeeded for hour in outlook.ended(since=now - timedelta(hours=24), now=now))


class TestTheStatisticsOfAJob:
    def test_count_outcomes_by_day_from_the_roll_ups(self, client: Client) -> None:
        job = make("a")
        rolled_up("a", hours_ago=0, succeeded=3, failed=1, skipped=2)

        rows = client.get(addresses.job_action("statistics", job.pk)).context["rows"]

        assert [(row["succeeded"], row["failed"], row["passed"]) for row in rows] == [("3", "1", "2")]
        assert "tab=failed" in rows[0]["failed_address"]

    def test_have_percentiles_of_the_successes(self) -> None:
        job, now = make("a"), timezone.now()
        for seconds in range(1, 21):
            at = now - timedelta(seconds=30 + seconds)
            run(job=job, at=at, started_at=at, finished_at=at + timedelta(seconds=seconds))

        found = job_statistics.days(job="a", now=now, zone=timezone.get_current_timezone())

        timed = [day for day in found if day.p50 is not None]
        assert len(found) == job_statistics.DAYS
        assert {(day.p50, day.p95) for day in timed} == {(10.0, 19.0)} or len(timed) == 2  # midnight lies between them

    def test_say_that_there_are_none(self, client: Client) -> None:
        text = client.get(addresses.job_action("statistics", make("a").pk)).content.decode()

        assert "No runs ended in the last 28 days." in text


class TestThePageOfANode:
    def test_shows_what_runs_there_and_how_to_end_it(self, client: Client) -> None:
        web = node()
        run(job=make("a"), state="running", finished_at=None, node=web.pk)

        response = client.get(reverse("admin:scheduler_node_change", args=[web.pk]))

        text = response.content.decode()
        assert [item["run"].job_name for item in response.context["runs"]] == ["Nightly cleaning"]
        assert f"kill -TERM {web.pid}" in text

    def test_says_that_a_node_is_gone(self, client: Client) -> None:
        gone = reverse("admin:scheduler_node_change", args=["00000000-0000-4000-8000-000000000000"])

        assert client.get(gone).status_code == 404
