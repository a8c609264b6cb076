"""The list of runs: tabs, filters, pages, groups of errors, export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.admin.format.display_zone import COOKIE
from scheduler.admin.runs import run_list
from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.services import jobs
from scheduler.services.queries import error_groups
from tests.integration.admin.runs import node, page, run
from tests.integration.admin.test_jobs import make
from tests.waiting import keep_to_one

RUNS = reverse("admin:scheduler_run_changelist")


def listed(client: Client, query: str = "") -> list[int]:
    return [row["run"].pk for row in client.get(f"{RUNS}?{query}").context["rows"]]


class TestRunList:
    def test_shows_state_node_duration_and_the_first_line_of_the_error(self, client: Client) -> None:
        run(state=RunState.FAILED, error="ValueError: first line\nsecond line", node=node().pk)

        text = client.get(RUNS).content.decode()

        for part in ("Nightly cleaning", "failed", "web-2", "3.0 s", "ValueError: first line", "Times in UTC"):
            assert part in text
        assert "second line" not in text

    def test_shows_rows_that_lack_everything(self, client: Client) -> None:
        run(state=RunState.SKIPPED, started_at=None, reason="2 runs are active.")
        run(state=RunState.QUEUED, started_at=None, finished_at=None)
        run(node=uuid4(), job_id="never-existed")

        assert "2 runs are active." in client.get(RUNS).content.decode()
        assert len(listed(client)) == 3

    def test_shows_as_text_whatever_it_holds(self, client: Client) -> None:
        run(state=RunState.FAILED, error="<script>\x1b[31m\u202e", job_name="<b>\u202e")

        text = client.get(RUNS).content.decode()

        assert "&lt;script&gt;" in text
        assert not [part for part in ("<script>\x1b", "<b>\u202e", "\x1b", "\u202e") if part in text]

    def test_shows_in_one_line_what_succeeded_runs_returned(self, client: Client) -> None:
        job = make()
        shown: dict[str, Any] = {
            "new: 1, unchanged: 1,200": {"new": 1, "unchanged": 1200, "failed": 0},
            "new: 0": {"new": 0},
            "<b>sent to 3": "<b>sent\nto 3",
            "[1, 2]": [1, 2],
            "•••": {"$sealed": "x"},
        }
        results = [*shown.values(), {}, None, " ".join(map(str, range(5000)))]
        for minutes, result in enumerate(results):
            run(job=job, at=timezone.now() - timedelta(minutes=minutes), result=result)
        run(job=job, at=timezone.now() - timedelta(hours=1), state=RunState.FAILED, error="E", result={"new": 5})

        rows = client.get(RUNS).context["rows"]
        text, page = (client.get(address).text for address in (RUNS, addresses.job("nightly")))

        assert [row["result"] for row in reversed(rows)] == [*shown, "", "", "", ""]
        assert "<bdi>&lt;b&gt;sent to 3</bdi>" in text
        assert "new: 1, unchanged: 1,200" in page

    def test_keeps_results_from_readers_who_may_not_see_output(self, login: Callable[..., Client]) -> None:
        run(job=make(), result={"new": 1})
        reader = login("view_job", "view_run")

        assert "new: 1" not in "".join(reader.get(each).text for each in (RUNS, addresses.job("nightly")))

    def test_filters_by_tab_job_task_node_error_and_time(self, client: Client) -> None:
        job = jobs.create(id="a b&c", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        mine = jobs.run_now(job=job)
        at = timezone.now() - timedelta(hours=40)
        old = run(at=at, state=RunState.FAILED, error="403 Forbidden", task="other.task", node=node().pk)

        for query in ("tab=queued", "state__exact=queued", "kind=manual", "job=a+b%26c"):
            assert listed(client, query) == [mine.pk], query
        window = f"since={at - timedelta(hours=1):%Y-%m-%dT%H:%M}&until={at + timedelta(hours=1):%Y-%m-%dT%H:%M}"
        for query in ("tab=failed", "task=other.task", f"node={old.node}", "error=403", window):
            assert listed(client, query) == [old.pk], query

    @pytest.mark.parametrize(
        "query", ["tab=x", "node=x", "kind=x", "since=x", "until=0001-01-01", "job=%00", "cursor=x"]
    )
    def test_says_what_it_cannot_look_for(self, client: Client, query: str) -> None:
        response = client.get(f"{RUNS}?{query}")

        assert response.status_code == 200
        assert (query == "until=0001-01-01") or 'role="alert"' in response.content.decode()

    @pytest.mark.parametrize("query", ["", "tab=failed", "job=nightly"])
    def test_pages_to_and_fro_without_losing_or_repeating_a_run(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        monkeypatch.setattr(run_list, "PAGE_SIZE", 3)
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        at = timezone.now() - timedelta(hours=1)
        for number in range(8):
            run(
                job=job,
                at=at + timedelta(minutes=number // 2),
                attempt=number % 2 + 1,
                state=RunState.FAILED,
                error="E",
            )

        address, seen = f"{RUNS}?{query}", []
        while address:
            context = client.get(address).context
            seen += [row["run"].pk for row in context["rows"]]
            address, last = context["links"].get("older"), context
        back = [row["run"].pk for row in client.get(last["links"]["newer"]).context["rows"]]

        assert seen == sorted(Run.objects.values_list("pk", flat=True), reverse=True)
        assert back == seen[3:6]

    def test_never_counts_the_ledger_and_leaves_long_columns_out(
        self, login: Callable[..., Client], django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        for _ in range(30):
            run(node=node().pk, traceback="x")

        client = login("view_job", "view_run", "run_job", "view_run_output")
        with django_assert_max_num_queries(9) as queries:
            client.get(f"{RUNS}?since=2020-01-01T00:00&until=2099-01-01T00:00")
        with django_assert_max_num_queries(10):
            client.get(f"{RUNS}?job=nightly")

        assert not [
            query["sql"] for query in queries if '"traceback"' in query["sql"] or "COUNT(" in query["sql"].upper()
        ]

    def test_shows_the_slowest_first(self, client: Client) -> None:
        at = timezone.now()
        found = [run(at=at, finished_at=at + timedelta(seconds=seconds)).pk for seconds in (3, 9, 1)]
        run(at=at, state=RunState.RUNNING, finished_at=None)

        response = client.get(f"{RUNS}?order=slowest")

        assert [row["run"].pk for row in response.context["rows"]] == [found[1], found[0], found[2]]
        assert "The slowest of the newest 5,000" in response.content.decode()

    def test_draws_how_long_it_took_beside_what_is_usual(self, client: Client) -> None:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        at = timezone.now()
        for minutes in range(20):
            run(job=job, at=at - timedelta(minutes=minutes))
        run(
            job=job,
            at=at + timedelta(minutes=1),
            state=RunState.FAILED,
            error="E",
            finished_at=at + timedelta(seconds=66),
        )

        rows = client.get(RUNS).context["rows"]

        assert "2.0 times the p95 of its runs (3.0 s)" in rows[0]["bar"]
        assert "1.0 times" in rows[1]["bar"]

    def test_offers_windows_that_say_when_they_are_chosen(self, client: Client) -> None:
        keep_to_one(timedelta(hours=1))  # the night begins with one
        night = client.get(RUNS).context["windows"][0]
        shown = client.get(night["address"])

        assert "18%3A00" in night["address"]
        assert [window["is_current"] for window in shown.context["windows"]] == [True, False, False]

    def test_groups_errors_that_differ_in_numbers_only(self, client: Client) -> None:
        for number in range(3):
            run(state=RunState.FAILED, error=f"HTTPError: page {number} of 0x{number}ff")
        run(state=RunState.TIMED_OUT, error="Timeout")

        groups = client.get(f"{RUNS}?group=error").context["groups"]

        assert [row["group"].count for row in groups] == [3, 1]
        assert groups[0]["address"] == page(Run.objects.filter(error__contains="page 2").get())

    def test_leads_from_a_group_to_exactly_its_runs_by_hour_and_day(self, client: Client) -> None:
        now = timezone.now()
        ages = [timedelta(minutes=5), timedelta(hours=5), timedelta(days=3)]
        found = [
            run(at=now - age, state=RunState.FAILED, error=f"Timeout after {place} s").pk
            for place, age in enumerate(ages)
        ]
        run(state=RunState.FAILED, error="Timeout after 9 s at host 3")
        run(state=RunState.FAILED, error="A Timeout after 9 s")

        [row] = [
            row
            for row in client.get(f"{RUNS}?group=error").context["groups"]
            if row["group"].like == "Timeout after # s"
        ]

        group = row["group"]
        assert (group.count, group.last_hour, group.last_day) == (3, 1, 2)
        for name, number in (("runs", 3), ("hour", 1), ("day", 2)):
            assert set(listed(client, row[name].partition("?")[2])) == set(found[:number]), name

    @pytest.mark.parametrize(
        "now",
        ["2026-10-25T00:20Z", "2026-10-25T01:20Z", "2026-10-25T02:20Z", "2027-03-28T01:20Z"],
        ids=["before 02:00 comes again", "after it", "an hour later", "after 02:00 was left out"],
    )
    def test_means_an_hour_by_an_hour_when_the_clocks_change(self, login: Callable[..., Client], now: str) -> None:
        with time_machine.travel(now, tick=False):
            client = login()
            client.cookies[COOKIE] = "Europe/Berlin"
            ages = [timedelta(minutes=55), timedelta(minutes=65), timedelta(hours=23), timedelta(hours=25)]
            found = [run(at=timezone.now() - age, state=RunState.FAILED, error="Timeout").pk for age in ages]

            last_hour = client.get(RUNS).context["windows"][2]
            [row] = client.get(f"{RUNS}?group=error").context["groups"]

            assert set(listed(client, last_hour["address"].partition("?")[2])) == set(found[:1])
            assert (row["group"].last_hour, row["group"].last_day) == (1, 3)
            for name, number in (("hour", 1), ("day", 3)):
                assert set(listed(client, row[name].partition("?")[2])) == set(found[:number]), name

    def test_says_when_older_failures_are_not_counted(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(error_groups, "MOST_GROUPED", 2)
        for _ in range(3):
            run(state=RunState.FAILED, error="E")

        text = client.get(f"{RUNS}?group=error").content.decode()

        assert "are not counted" in text

    def test_exports_what_is_filtered_without_formulas(self, client: Client) -> None:
        run(state=RunState.FAILED, error="=cmd()", job_name="+1")
        run()

        response = client.get(f"{RUNS}?tab=failed&format=csv")
        head, line = b"".join(response.streaming_content).decode().splitlines()

        assert head.startswith("id,job_key,job_name")
        assert ("'=cmd()" in line, "'+1" in line) == (True, True)

    def test_answers_its_live_region_with_304_while_nothing_changes(self, client: Client) -> None:
        run(at=timezone.now() - timedelta(days=3))

        first = client.get(f"{RUNS}?part=live")
        again = client.get(f"{RUNS}?part=live", headers={"if-none-match": first["ETag"]})
        run()
        changed = client.get(f"{RUNS}?part=live", headers={"if-none-match": first["ETag"]})

        assert (first.status_code, again.status_code, changed.status_code) == (200, 304, 200)
        assert "csrfmiddlewaretoken" not in first.content.decode()


class TestAPhone:
    PHONE = {
        "user-agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"
    }

    @pytest.mark.parametrize(("address", "narrowed"), [(addresses.runs, {"task": "x"}), (addresses.jobs, {"q": "x"})])
    def test_has_rows_first_and_filters_where_they_are_in_use(
        self, client: Client, address: Callable[..., str], narrowed: dict[str, str]
    ) -> None:
        folded = "<summary>Filters</summary>"

        assert folded in client.get(address(), headers=self.PHONE).text
        assert folded not in client.get(address(**narrowed), headers=self.PHONE).text
        assert folded not in client.get(address()).text
