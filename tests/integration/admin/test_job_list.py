from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from scheduler.admin import addresses
from scheduler.admin.jobs.job_admin import JobAdmin
from scheduler.core.states import JobState
from scheduler.models import Job
from scheduler.services.jobs import long_lists
from tests.integration.admin.test_jobs import LIST, make, page
from tests.ledger import add_run


class TestJobList:
    def test_shows_state_task_and_when_in_words(self, client: Client) -> None:
        make(name="Nightly cleaning")
        make("paused", paused=True)

        text = client.get(LIST).content.decode()

        assert "Nightly cleaning" in text
        assert "every hour" in text
        assert "Created paused" in text

    def test_keeps_search_and_order_in_its_tabs_and_counts_in_them_only_what_they_show(self, client: Client) -> None:
        make("shop", tags=["shop"])
        make("other", paused=True)

        everything = client.get(LIST).context
        narrowed = client.get(f"{LIST}?tag=shop&o=2&p=1&condition=ok").context

        assert [(str(tab["text"]), tab["count"]) for tab in everything["tabs"]] == [
            ("All", 2),
            ("OK", 1),
            ("paused", 1),
        ]
        assert everything["is_counted"]
        assert [tab["address"] for tab in narrowed["tabs"]] == [
            f"{LIST}?tag=shop&o=2",
            f"{LIST}?tag=shop&o=2&condition=ok",
            f"{LIST}?tag=shop&o=2&condition=paused",
        ]
        assert not narrowed["is_counted"], "the numbers are those of all jobs"

    def test_does_as_many_queries_for_many_jobs_as_for_one(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        for number in range(30):
            make(f"job-{number}")

        with django_assert_max_num_queries(10):
            assert client.get(LIST).status_code == 200

    @pytest.mark.parametrize(
        "query",
        [
            "q=nightly",
            "q=cleanup",
            "state__exact=active",
            "executor=default",
            "condition=ok",
            "task=scheduler.cleanup_jobs",
            "source=api",
            "tag=shop",
            "tag=shop&condition=ok&task=&executor=default&source=&q=&o=",
        ],
    )
    def test_finds_jobs(self, client: Client, query: str) -> None:
        make(tags=["shop", "eu"], source="api")
        make(
            "other",
            task="scheduler.http_request",
            kwargs={"url": "https://example.org/"},
            paused=True,
            executor="processpool",
        )

        found = client.get(f"{LIST}?{query}").context["cl"].queryset

        assert [job.pk for job in found] == ["nightly"]

    @pytest.mark.parametrize(
        "trigger", [{"type": "cron", "expression": "99 * * * *"}, {"type": "moon"}, {}, [], "text", 7, None]
    )
    def test_shows_jobs_that_raw_sql_has_damaged(self, client: Client, trigger: Any) -> None:
        make()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE scheduler_job SET trigger = %s, task = 'gone.task'", [json.dumps(trigger)])
            cursor.execute("UPDATE scheduler_job SET args = '7', kwargs = '[1]', state = 'broken', state_reason = 'x'")

        assert "gone.task" in client.get(LIST).content.decode()
        assert "gone.task" in client.get(page("nightly")).content.decode()
        assert "gone.task" in client.get(addresses.job("nightly")).content.decode()

    @pytest.mark.parametrize("query", ["tag=gone", "task=%00", "tag=%00", "executor=%00", "source=nobody", "q=zzz"])
    def test_finds_none_and_says_so(self, client: Client, query: str) -> None:
        make()

        text = client.get(f"{LIST}?{query}", follow=True).content.decode()

        assert "No jobs match." in text
        assert "Show 1 job" in text

    def test_says_of_an_empty_tab_that_nobody_is_like_that(self, client: Client) -> None:
        make()

        text = client.get(f"{LIST}?condition=failing").content.decode()

        assert "No job is failing." in text
        assert "Show 1 job" in text

    def test_offers_the_values_that_jobs_have(self, client: Client) -> None:
        make("a", tags=["shop", "eu"])
        make("b", tags=["shop"], executor="processpool")

        offered = {item["name"]: item["values"] for item in client.get(f"{LIST}?tag=old").context["filters"]}

        assert [value for value, _text in offered["tag"]] == ["eu", "old", "shop"]
        assert [value for value, _text in offered["executor"]] == ["default", "processpool"]
        assert [value for value, _text in offered["task"]] == ["scheduler.cleanup_jobs"]

    @pytest.mark.parametrize(
        ("order", "ids"),
        [
            ("problems first", "bac"),
            ("name", "abc"),
            ("next run", "acb"),
            ("last run, newest first", "cab"),
            ("last run, longest first", "acb"),
        ],
    )
    def test_is_sorted_as_was_chosen(self, client: Client, order: str, ids: str) -> None:
        for id, hours in (("a", 1), ("c", 2)):
            job = make(id, trigger={"type": "interval", "hours": hours})
            at = timezone.now() - timedelta(hours=3 - hours)
            add_run(
                job, scheduled_at=at, state="succeeded", started_at=at, finished_at=at + timedelta(minutes=9 - hours)
            )
        make("b")
        Job.objects.filter(pk="b").update(state=JobState.BROKEN)
        DjangoJob.objects.filter(pk="b").update(next_run_time=None)
        orders = {item["text"]: item["value"] for item in client.get(LIST).context["cl"].orders()}

        shown = client.get(LIST, {"o": orders[order]})

        assert "".join(job.pk for job in shown.context["cl"].result_list) == ids
        assert [item["text"] for item in shown.context["cl"].orders() if item["is_chosen"]] == [order]

    @pytest.mark.parametrize(
        "query", ["", "o=1", "o=-2.1", "o=4", "q=job", "condition=ok", "tag=shop", "q=job&o=5", "p=2"]
    )
    def test_has_the_same_rows_when_it_is_long(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, query: str
    ) -> None:
        monkeypatch.setattr(JobAdmin, "list_per_page", 3)
        for number in range(7):
            make(f"job-{number}", name=f"job {number % 3}", tags=["shop"] if number % 2 else [], paused=number == 4)

        def rows() -> list[str]:
            return [job.pk for job in client.get(f"{LIST}?{query}").context["cl"].result_list]

        short = rows()
        monkeypatch.setattr(long_lists, "LONG", 0)

        assert short
        assert rows() == short

    def test_says_where_it_ends_if_more_match(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(long_lists, "LONG", 0)
        monkeypatch.setattr(long_lists, "MOST_COUNTED", 2)
        for number in range(3):
            make(f"job-{number}")

        assert "More than 2 jobs match. The first 2 are listed." in client.get(f"{LIST}?q=job").content.decode()
        assert "jobs match" not in client.get(LIST).content.decode()

    def test_is_not_sorted_by_the_newest_runs_when_it_is_long(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make("a")
        make("b")
        short = client.get(LIST).context["cl"]
        monkeypatch.setattr(long_lists, "MOST_COUNTED", 1)

        long = client.get(LIST).context["cl"]

        assert {"last_run", "usual"} <= set(short.sortable_by)
        assert not {"last_run", "usual"} & set(long.sortable_by)
        assert len(list(short.orders())) - len(list(long.orders())) == 2

    def test_has_a_live_part_that_is_sent_only_when_it_changed(
        self, login: Callable[..., Client], django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        at = timezone.now() - timedelta(hours=3)  # what is said of it stays the same for a while
        someday = {"type": "date", "run_at": "2999-01-01T00:00:00Z"}
        add_run(make(name="Import", tags=["shop"], trigger=someday), scheduled_at=at, state="succeeded")
        client = login("view_job", "view_run", "pause_job", "run_job")
        address = client.get(f"{LIST}?tag=shop&o=1").context["live_address"]

        with django_assert_max_num_queries(11) as queries:
            first = client.get(address)
        again = client.get(address, headers={"If-None-Match": first["ETag"]})

        text = first.content.decode()
        assert ("Import" in text, "<html" in text, "csrf" in text, "part=live" in text) == (True, False, False, False)
        assert 'id="states" data-live-also' in text
        assert (again.status_code, again.content) == (304, b"")
        assert all(query["sql"].startswith(("SELECT", "WITH")) for query in queries)
        assert not [query for query in queries if "COUNT(" in query["sql"].upper() and "scheduler_run" in query["sql"]]

    def test_is_closed_to_strangers(self, db: None) -> None:
        assert Client().get(LIST).status_code == 302
