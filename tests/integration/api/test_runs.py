from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from scheduler.models import Run
from scheduler.services import jobs
from scheduler.services.queries import run_queries, text_search
from scheduler.services.queries.run_queries import RunFilter
from tests.integration.api.conftest import EVERY_HOUR, Caller


def run(job: str = "hourly", **columns: Any) -> Run:
    """Queue a run of a job, created if need be, and bring it to where the columns say."""
    found = jobs.create(id=job, task="sample.square", kwargs={"number": 3}, trigger=EVERY_HOUR, replace_existing=True)
    queued = jobs.run_now(job=found)
    if columns.get("state") not in (None, "queued", "running"):
        columns = {"started_at": timezone.now(), "finished_at": timezone.now(), **columns}
    Run.objects.filter(pk=queued.pk).update(**columns)
    return Run.objects.get(pk=queued.pk)


class TestListing:
    def test_filters_by_job_state_kind_and_window(self, api: Caller) -> None:
        failed = run(state="failed", error="No.")
        queued = run()
        other = run("other", state="succeeded")
        Run.objects.filter(pk=other.pk).update(created_at=timezone.now() - timedelta(days=2))

        def ids(**query: Any) -> list[int]:
            return [found["id"] for found in api.get("runs", query).json()["results"]]

        assert ids() == [other.pk, queued.pk, failed.pk]
        assert ids(job="hourly") == [queued.pk, failed.pk]
        assert ids(state="failed,timed_out") == [failed.pk]
        assert ids(state="queued") == [queued.pk]
        assert ids(kind="scheduled") == []
        assert ids(until=(timezone.now() - timedelta(days=1)).isoformat()) == [other.pk]
        assert ids(since=(timezone.now() - timedelta(days=1)).isoformat()) == [queued.pk, failed.pk]
        assert [found["id"] for found in api.get("jobs/other/runs").json()["results"]] == [other.pk]
        assert api.get("runs", {"since": "2027-01-01T00:00:00"}).status_code == 400
        assert api.get("runs", {"since": "yesterday"}).json()["errors"][0]["parameter"] == "since"

    def test_finds_runs_by_the_job_and_by_texts(self, api: Caller) -> None:
        wanted = run(log="Fetched 12 pages", state="failed", error="HTTPError: 403")
        Run.objects.filter(pk=wanted.pk).update(kwargs={"number": 4})
        run("other", log="Fetched")

        def ids(path: str = "runs", **query: Any) -> list[int]:
            return [found["id"] for found in api.get(path, query).json()["results"]]

        criteria: list[dict[str, Any]] = [
            {"log": "12 PAGES"}, {"argument": "number=4"}, {"name": "hour"}, {"error": "403"},
        ]  # fmt: skip
        for query in criteria:
            assert ids(**query) == [wanted.pk], query
        assert ids("jobs/hourly/runs", log="fetched", argument="4") == [wanted.pk]
        assert ids("jobs/hourly/runs", argument="number=3") == []
        assert (ids(executor="nowhere"), ids(tag="none")) == ([], [])

    def test_continues_a_search_with_the_next_page(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(text_search, "MOST_SEARCHED", 1)
        wanted = run(log="needle")
        run(log="hay")

        first = api.get("runs", {"log": "needle"}).json()
        second = api.get(first["next"].replace("http://testserver", "")).json()

        assert (first["results"], [found["id"] for found in second["results"]]) == ([], [wanted.pk])
        assert second["next"] is None

    def test_gives_every_run_once_while_rows_arrive(self, api: Caller) -> None:
        ids = [run().pk for _ in range(5)]
        for path in ("runs?limit=2", "jobs/hourly/runs?limit=2"):
            found, address = [], path
            while address:
                page = api.get(address.replace("http://testserver", "")).json()
                found += [item["id"] for item in page["results"]]
                address = page["next"]
                run("meanwhile")
            assert [id for id in found if id in ids] == ids[::-1]
            assert len(found) == len(set(found))

    def test_leads_back_as_well_as_on(self, api: Caller) -> None:
        ids = [run().pk for _ in range(5)][::-1]
        for path in ("runs?limit=2", "jobs/hourly/runs?limit=2"):
            first = api.get(path).json()
            second = api.get(first["next"].replace("http://testserver", "")).json()
            third = api.get(second["next"].replace("http://testserver", "")).json()
            back = api.get(third["previous"].replace("http://testserver", "")).json()
            home = api.get(back["previous"].replace("http://testserver", "")).json()

            assert (first["previous"], third["next"]) == (None, None)
            assert [item["id"] for item in third["results"]] == ids[4:]
            assert [item["id"] for item in back["results"]] == ids[2:4]
            assert ([item["id"] for item in home["results"]], home["previous"]) == (ids[:2], None)

    def test_keeps_the_history_of_a_job_that_was_deleted(self, api: Caller) -> None:
        kept = run(state="succeeded")
        jobs.remove(job=jobs.get(id="hourly"))

        found = api.get("runs", {"job": "hourly"}).json()["results"]

        assert [(item["id"], item["job"], item["job_exists"]) for item in found] == [(kept.pk, "hourly", False)]

    def test_asks_the_database_as_often_for_many_as_for_few(self, api: Caller, django_assert_num_queries: Any) -> None:
        for _ in range(10):
            run()
        for limit in (2, 10):
            with django_assert_num_queries(4):  # session, user, runs, notes; no node, so no names of nodes
                assert len(api.get("runs", {"limit": limit}).json()["results"]) == limit


class TestReading:
    def test_shows_output_only_to_those_who_may_see_it(self, api: Caller, login: Callable[..., Caller]) -> None:
        done = run(state="succeeded", result={"square": 9}, log="one\ntwo\nthree\n", traceback="")
        viewer = login("view_run", name="vera")

        assert api.get(f"runs/{done.pk}").json()["result"] == {"square": 9}
        assert viewer.get(f"runs/{done.pk}").json()["result"] is None
        assert viewer.get(f"runs/{done.pk}").json()["kwargs"] is None
        assert viewer.get(f"runs/{done.pk}/log").status_code == 403
        log = api.get(f"runs/{done.pk}/log", {"tail": 2}).json()
        assert log == {"run": done.pk, "text": "two\nthree\n", "lines": 3, "is_complete": True}

    def test_answers_404_for_what_is_not_there(self, api: Caller) -> None:
        for path in (
            "runs/1",
            f"runs/{10**25}",
            "jobs/none",
            "tasks/none",
            "nowhere",
            "runs/x",
            "problems/none",
            "nodes/00000000-0000-0000-0000-000000000000",
            "jobs/a%00b",
        ):
            answer = api.get(path)
            assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json"), path


class TestSearchingTexts:
    @pytest.mark.parametrize("path", ["runs", "jobs/hourly/runs"])
    @pytest.mark.parametrize("criterion", ["log", "argument"])
    def test_needs_the_permission_to_see_them(self, login: Callable[..., Caller], path: str, criterion: str) -> None:
        run(log="needle")
        query = {criterion: "needle"}

        refused = login("view_run", name="vera").get(path, query)

        assert refused.status_code == 403
        assert "scheduler.view_run_output" in refused.json()["detail"]
        assert login("view_run", "view_run_output").get(path, query).status_code == 200


class TestNotes:
    def test_are_written_read_and_shown_in_lists(self, api: Caller) -> None:
        failed = run(state="failed", error="No.")

        made = api.send("post", f"runs/{failed.pk}/notes", {"text": "The disk is full."})
        taken = api.send("post", f"runs/{failed.pk}/take", {})
        again = api.send("post", f"runs/{failed.pk}/take", {})
        shown = api.get("runs").json()["results"][0]
        api.send("post", f"runs/{failed.pk}/release", {"text": "Done."})

        assert (made.status_code, taken.status_code, again.status_code) == (201, 201, 409)
        assert again.json()["type"].endswith("/note-already-holds")
        assert (shown["taken_by"], shown["notes"]) == ("anna", 1)
        listed = api.get(f"runs/{failed.pk}/notes").json()["results"]
        assert [(note["kind"], note["text"], note["author"], note["via"]) for note in listed] == [
            ("released", "Done.", "anna", "api"),
            ("taken", "", "anna", "api"),
            ("note", "The disk is full.", "anna", "api"),
        ]
        assert api.get("runs").json()["results"][0]["taken_by"] is None

    def test_are_written_once_for_each_key(self, api: Caller) -> None:
        address, body = f"runs/{run().pk}/notes", {"text": "Once."}

        answers = [api.send("post", address, body, **{"Idempotency-Key": "k"}).json() for _ in range(2)]

        assert answers[0] == answers[1]
        assert len(api.get(address).json()["results"]) == 1

    def test_need_a_text_and_a_run(self, api: Caller) -> None:
        assert api.send("post", f"runs/{run().pk}/notes", {"text": ""}).status_code == 400
        assert api.send("post", f"runs/{run().pk}/notes", {"text": "  "}).status_code == 400
        assert api.send("post", f"runs/{2**40}/notes", {"text": "x"}).status_code == 404


class TestActing:
    def test_cancels_what_is_active_and_refuses_what_has_ended(self, api: Caller) -> None:
        queued = run()

        first, second = (api.send("post", f"runs/{queued.pk}/cancel") for _ in range(2))

        assert (first.status_code, first.json()["state"]) == (202, "cancelled")
        assert (second.status_code, second.json()["type"].rpartition("/")[2]) == (409, "run-finished")

    def test_retries_what_has_ended_once_for_each_key(self, api: Caller) -> None:
        failed = run(state="failed", error="No.")

        answers = [api.send("post", f"runs/{failed.pk}/retry", **{"Idempotency-Key": "r"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [202, 202]
        assert answers[0].json()["previous"] == failed.pk
        assert Run.objects.filter(previous=failed).count() == 1

    def test_refuses_to_run_a_job_with_wrong_arguments(self, api: Caller) -> None:
        run()

        answer = api.send("post", "jobs/hourly/run", {"kwargs": {"number": "x"}})

        assert answer.status_code == 400
        assert answer.json()["errors"][0]["pointer"] == "/kwargs/number"
        assert Run.objects.count() == 1


class TestStatesThatAreRare:
    def test_are_found_by_an_index(self, db: None) -> None:
        for state in ("missed", "cancelled"):
            found = run_queries.runs(filter=RunFilter(states=(state,)))[:51]
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_sort = off")
            assert "scheduler_run_reasoned" in found.explain()
