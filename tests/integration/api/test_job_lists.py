from __future__ import annotations

from typing import Any

import pytest

from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.api.conftest import EVERY_HOUR, Caller

NEW = {"id": "hourly", "task": "sample.square", "kwargs": {"number": 3}, "trigger": EVERY_HOUR}


def add(id: str = "hourly", **changes: Any) -> Job:
    return jobs.create(**{**NEW, "id": id, **changes})


class TestTags:
    def test_are_kept_once_found_changed_and_copied(self, api: Caller) -> None:
        api.send("post", "jobs", {**NEW, "id": "both", "tags": ["shop", "night", "shop"]})
        api.send("post", "jobs", {**NEW, "id": "one", "tags": ["shop"]})

        shops = api.get("jobs?tag=shop").json()["results"]
        both = api.get("jobs?tag=shop&tag=night").json()["results"]
        changed = api.send("patch", "jobs/one", {"tags": []})
        copy = api.send("post", "jobs/both/clone", {"id": "copy"})

        assert [(job["id"], job["tags"]) for job in shops] == [("both", ["night", "shop"]), ("one", ["shop"])]
        assert [job["id"] for job in both] == ["both"]
        assert changed.json()["tags"] == []
        assert copy.json()["tags"] == ["night", "shop"]

    @pytest.mark.parametrize("tags", [[""], ["x" * 51], [" shop"], ["a\nb"], ["a"] * 21, "shop", [1]])
    def test_that_are_none_are_refused(self, api: Caller, tags: Any) -> None:
        answer = api.send("post", "jobs", {**NEW, "tags": tags})

        assert answer.status_code == 400


class TestListing:
    def test_filters_and_names_unknown_parameters(self, api: Caller) -> None:
        add("a", name="Alpha")
        add("b", name="Beta", paused=True)
        add("c", task="sample.nothing", kwargs={}, executor="processpool")

        def ids(**query: Any) -> list[str]:
            return [job["id"] for job in api.get("jobs", query).json()["results"]]

        assert ids() == ["a", "b", "c"]
        assert ids(state="paused") == ["b"]
        assert ids(state=["paused", "active"], task="sample.square") == ["a", "b"]
        assert ids(executor="processpool") == ["c"]
        assert ids(q="ALPH") == ["a"]
        assert ids(broken="true") == []
        assert ids(order="-name") == ["c", "b", "a"]
        answer = api.get("jobs", {"sate": "paused"})
        assert answer.status_code == 400
        assert answer.json()["errors"] == [
            {
                "parameter": "sate",
                "code": "unknown_parameter",
                "detail": "There is no parameter “sate”. Did you mean “state”?",
            }
        ]
        assert api.get("jobs", {"limit": "201"}).status_code == 400
        assert api.get("jobs", {"state": "active,zebra"}).json()["detail"].startswith("state (“zebra”): ")
        assert api.get("jobs", {"cursor": "bm9uc2Vuc2U"}).json()["errors"][0]["parameter"] == "cursor"

    @pytest.mark.parametrize("order", ["id", "-id", "name", "next_run_time", "-next_run_time", "last_run", "-last_run"])
    def test_gives_every_job_once_over_the_pages(self, api: Caller, order: str) -> None:
        for number in range(7):
            job = add(f"job-{number}", name="Same", paused=number % 3 == 0)
            if number % 2:
                jobs.run_now(job=job)
        found, address = [], "jobs?limit=2&order=" + order
        while address:
            page = api.get(address.replace("http://testserver", "")).json()
            found += [job["id"] for job in page["results"]]
            address = page["next"]

        assert sorted(found) == [f"job-{number}" for number in range(7)]
        whole = [job["id"] for job in api.get("jobs", {"order": order}).json()["results"]]
        assert found == whole

    def test_finds_jobs_by_their_last_outcome(self, api: Caller) -> None:
        add("quiet")
        run = jobs.run_now(job=add("ended"))
        Run.objects.filter(pk=run.pk).update(state="failed", finished_at=run.created_at, error="No.")

        answer = api.get("jobs", {"last_outcome": "failed"}).json()

        assert [(job["id"], job["last_run"]["id"]) for job in answer["results"]] == [("ended", run.pk)]

    def test_asks_the_database_as_often_for_many_as_for_few(self, api: Caller, django_assert_num_queries: Any) -> None:
        for number in range(30):
            jobs.run_now(job=add(f"job-{number}"))
        for limit in (2, 30):
            with django_assert_num_queries(4):  # session, user, jobs, newest runs; a superuser's rights are not read
                assert len(api.get("jobs", {"limit": limit}).json()["results"]) == limit


class TestBulk:
    def test_pauses_by_id_and_says_what_became_of_each(self, api: Caller) -> None:
        add("a")
        answer = api.send("post", "jobs/bulk", {"action": "pause", "ids": ["a", "gone"], "reason": "Deploy."})

        assert [(item["id"], item["ok"], item["code"]) for item in answer.json()["results"]] == [
            ("a", True, None),
            ("gone", False, "job_not_found"),
        ]
        assert Job.objects.get().state == "paused"

    def test_changes_what_a_filter_finds_unless_it_is_a_rehearsal(self, api: Caller) -> None:
        for id in "abc":
            add(id, paused=id != "c")
        body = {"action": "delete", "filter": {"state": ["paused"]}}

        rehearsed = api.send("post", "jobs/bulk", {**body, "dry_run": True}).json()
        assert (rehearsed["matched"], rehearsed["done"], Job.objects.count()) == (2, 0, 3)
        assert api.send("post", "jobs/bulk", body).json()["done"] == 2
        assert [job.pk for job in Job.objects.all()] == ["c"]

    def test_pauses_until_an_instant_runs_and_tags(self, api: Caller) -> None:
        add("a", tags=["old"])
        add("b")
        every = {"ids": ["a", "b"]}

        assert api.send("post", "jobs/bulk", {**every, "action": "run"}).json()["done"] == 2
        api.send("post", "jobs/bulk", {**every, "action": "pause", "until": "2999-03-01T08:00:00Z"})
        api.send("post", "jobs/bulk", {**every, "action": "add_tags", "tags": ["shop", "eu"]})
        api.send("post", "jobs/bulk", {**every, "action": "remove_tags", "tags": ["old", "eu"]})

        assert Run.objects.count() == 2
        assert [job.tags for job in Job.objects.all()] == [["shop"], ["shop"]]
        assert {job.paused_until.year for job in Job.objects.all() if job.paused_until} == {2999}

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "add_tags"},
            {"action": "pause", "tags": ["a"]},
            {"action": "resume", "until": "2999-03-01T08:00:00Z"},
        ],
    )
    def test_refuses_what_the_action_has_no_use_for(self, api: Caller, body: dict[str, Any]) -> None:
        add()

        assert api.send("post", "jobs/bulk", {"ids": ["hourly"], **body}).status_code == 400

    def test_refuses_an_empty_filter(self, api: Caller) -> None:
        add()

        assert api.send("post", "jobs/bulk", {"action": "delete", "filter": {}}).status_code == 400
        assert Job.objects.exists()
