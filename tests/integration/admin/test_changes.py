from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from scheduler.admin import addresses
from scheduler.admin.changes import change_text
from scheduler.core.states import ChangeAction, Via
from scheduler.models import Change, Job
from scheduler.services import jobs
from tests.integration.admin.test_job_form import send
from tests.integration.admin.test_jobs import LIST, act, make, page, said
from tests.waiting import keep_to_one


def daily(hour: int) -> dict[str, str]:
    return {"type": "cron", "expression": f"0 {hour} * * *", "timezone": "UTC"}


def newest() -> Change:
    return Change.objects.order_by("-id")[0]


def shown(client: Client, address: str) -> list[str]:
    """What the rows of a page say: who did what, to what, and why."""
    rows = client.get(address).context
    found = rows["changes"] if "changes" in rows else rows["rows"]
    return [
        " | ".join(
            [
                row["sentence"],
                str(row["via"]),
                *(f"{each['label']}: {each['old']} → {each['new']}" for each in row["differences"]),
                row["reason"],
            ]
        )
        for row in found
    ]


def restore(change: Change) -> str:
    return reverse("admin:scheduler_change_restore", args=[change.pk])


class TestWhatPeopleDo:
    def test_is_noted_with_who_did_it_and_why(self, client: Client) -> None:
        make()

        client.post(addresses.job_action("pause", "nightly"), {"confirmed": "1", "reason": "Proxy banned."})

        change = newest()
        assert (change.action, change.actor, change.via, change.reason) == (
            *("paused", "anna", "admin", "Proxy banned."),
        )

    @pytest.mark.parametrize("action", ["resume", "delete"])
    def test_takes_a_reason_with_what_is_asked_first(self, client: Client, action: str) -> None:
        make(paused=True)
        address = addresses.job_action(action, "nightly")
        asked = client.get(address) if action == "delete" else client.post(address)

        client.post(address, {"confirmed": "1", "post": "yes", "reason": "The shop is open."})

        change = newest()
        assert 'name="reason"' in asked.content.decode()
        assert (change.action, change.actor, change.via) == (f"{action}d", "anna", "admin")
        assert change.reason == "The shop is open."

    @pytest.mark.parametrize(("action", "done"), [("resume", "resumed"), ("delete_selected", "deleted")])
    def test_is_noted_for_each_of_many(self, client: Client, action: str, done: str) -> None:
        make("a", paused=True)
        make("b", paused=True)
        asked = client.post(LIST, {"action": action, "_selected_action": ["a", "b"]})

        act(client, action, "a", "b", reason="Both are over.")

        assert 'name="reason"' in asked.content.decode()
        noted = Change.objects.filter(action=done)
        assert {(change.job_key, change.actor, change.via, change.reason) for change in noted} == {
            ("a", "anna", "admin", "Both are over."),
            ("b", "anna", "admin", "Both are over."),
        }

    def test_takes_a_reason_with_an_edit(self, client: Client) -> None:
        send(client, name="nightly", change_reason="New.")

        assert (newest().action, newest().via, newest().reason) == ("created", "admin", "New.")


class TestTheJobPage:
    def test_tells_its_changes(self, client: Client) -> None:
        job = make(trigger=daily(2), actor="anna", via="admin")
        jobs.update(job=job, actor="ben", via="api", reason="Less load.", trigger=daily(3), coalesce=False)
        jobs.pause(job=job, actor="cleo", via="command", reason="Deploy.")

        assert shown(client, addresses.job("nightly")) == [
            "Paused by cleo | command line | Deploy.",
            "Edited by ben | API | Trigger: at 02:00 every day, UTC (cron 0 2 * * *) → at 03:00 every day, UTC "
            "(cron 0 3 * * *) | Combine missed runs: yes → no | Less load.",
            "Created by anna | admin | ",
        ]
        text = client.get(addresses.job("nightly")).content.decode()
        assert addresses.changes(job="nightly") in text

    def test_says_durations_as_the_form_does(self, client: Client) -> None:
        job = make(timeout=90)
        jobs.update(job=job, actor="ben", timeout=5400)

        newest, *_ = shown(client, addresses.job("nightly"))
        assert "Time limit: 1 min 30 s → 1 h 30 min" in newest

    def test_names_the_scheduler_and_the_database(self, client: Client) -> None:
        job = make()
        Job.objects.filter(pk=job.pk).update(priority=1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT session_user")
            role = cursor.fetchone()[0]

        assert shown(client, addresses.job("nightly"))[0] == (
            f"Edited by the database role “{role}” | database | Priority: 0 → 1 | "
        )

    def test_shows_whatever_is_in_them_as_text(self, client: Client) -> None:
        job = make(description="<script>alert(1)</script>\none\ntwo")
        jobs.update(job=job, actor="<b>ben</b>", description="\u202eone\nthree", reason="<i>why</i>")

        text = client.get(addresses.job("nightly")).content.decode()

        for part in ("<script>alert", "<b>ben", "<i>why", "\u202e"):
            assert part not in text
        assert "-two" in text
        assert "+three" in text

    def test_masks_secrets(self, client: Client) -> None:
        job = make(task="governed.use_secret", kwargs={"token": "s3cr3t-value"})
        jobs.update(job=job, kwargs={"token": "an0ther-value"})

        text = client.get(addresses.job("nightly")).content.decode()

        assert "$sealed" not in text
        assert shown(client, addresses.job("nightly"))[0].endswith("token: ••• → ••• | ")

    def test_offers_to_restore_what_is_not_so_now(self, login: Callable[..., Client]) -> None:
        job = make()
        job = jobs.update(job=job, priority=1)
        jobs.pause(job=job)

        def offered(client: Client) -> list[int]:
            rows = client.get(addresses.job("nightly")).context["changes"]
            return [row["change"].version for row in rows if row["restore"]]

        client = login("view_job", "change_job")
        assert offered(client) == [1]
        found = [row["change"].version for row in client.get(addresses.changes()).context["rows"] if row["restore"]]
        assert found == [1]

    def test_offers_it_to_nobody_who_may_not(self, login: Callable[..., Client]) -> None:
        jobs.update(job=make(), priority=1)

        client = login("view_job", "pause_job")

        assert not any(row["restore"] for row in client.get(addresses.job("nightly")).context["changes"])
        assert b"Restore version" not in client.get(addresses.job("nightly")).content


class TestTheList:
    def test_filters_and_says_what_it_cannot_use(self, client: Client) -> None:
        job = make(actor="anna")
        jobs.remove(job=make(id="other"), actor="ben", via="api")
        jobs.update(job=job, priority=3, actor="ben")

        assert len(shown(client, addresses.changes())) == 4
        assert [row.partition(" |")[0] for row in shown(client, addresses.changes(actor="ben"))] == [
            "Edited by ben",
            "Deleted by ben",
        ]
        assert shown(client, addresses.changes(job="other", action="deleted")) == ["Deleted by ben | API | "]
        assert shown(client, addresses.changes(via="admin")) == []
        for wrong in ({"action": "x"}, {"via": "x"}, {"job": "a\x00"}, {"cursor": "x"}):
            assert client.get(addresses.changes(**wrong)).context["problem"]

    def test_pages_without_counting(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scheduler.admin.changes.change_admin.PAGE_SIZE", 2)
        job = make()
        for number in range(1, 4):
            job = jobs.update(job=job, priority=number)

        links = client.get(addresses.changes()).context["links"]
        older = client.get(links["older"]).context

        assert [row["change"].version for row in older["rows"]] == [2, 1]
        assert "older" not in older["links"]
        assert [row["change"].version for row in client.get(older["links"]["newer"]).context["rows"]] == [4, 3]

    def test_asks_little(self, login: Callable[..., Client], django_assert_max_num_queries: Any) -> None:
        for number in range(12):
            make(id=f"job-{number}")
        client = login("view_job", "change_job", "add_job")

        with django_assert_max_num_queries(5):  # session, user, permissions twice, changes
            client.get(addresses.changes())

    def test_leads_from_the_index_and_a_single_change(self, client: Client) -> None:
        make()

        assert addresses.changes() in client.get(reverse("admin:index")).content.decode()
        response = client.get(reverse("admin:scheduler_change_change", args=[newest().pk]))
        assert response.url == addresses.changes(job="nightly")
        assert client.get(reverse("admin:scheduler_change_change", args=[10**9])).status_code == 404


class TestRestore:
    def test_asks_and_says_what_will_change(self, client: Client) -> None:
        job = make(trigger=daily(2))
        jobs.update(job=job, trigger=daily(3), priority=3)
        first = Change.objects.order_by("id")[0]

        asked = client.post(restore(first)).content.decode()
        assert "Restore version 1 of “nightly”?" in asked
        assert "Priority: 3 → 0" in asked
        assert "(cron 0 3 * * *) → at 02:00 every day" in asked
        assert Job.objects.get().version == 2

        response = client.post(restore(first), {"confirmed": "1", "reason": "It was better."})

        assert response.url == addresses.job("nightly")
        assert (Job.objects.get().trigger, Job.objects.get().priority) == (daily(2), 0)
        change = newest()
        assert (change.action, change.actor, change.via, change.reason) == (
            *("restored", "anna", "admin", "It was better."),
        )
        assert shown(client, addresses.job("nightly"))[0].startswith("Version 1 restored by anna | admin | ")

    def test_happens_once(self, client: Client) -> None:
        job = make()
        jobs.update(job=job, priority=3)
        first = Change.objects.order_by("id")[0]

        for _ in range(2):
            client.post(restore(first), {"confirmed": "once"})

        assert Job.objects.get().version == 3

    def test_has_nothing_to_ask_where_nothing_would_change(self, client: Client) -> None:
        make()

        response = client.post(restore(newest()))

        assert response.url == addresses.job("nightly")
        assert said(response) == ["Restored version 1 of “nightly”."]

    def test_says_why_it_was_refused(self, client: Client) -> None:
        job = make()
        jobs.update(job=job, priority=3)
        Job.objects.update(task="gone.task", version=3)
        gone = newest()
        Job.objects.update(task="sample.square", version=4)

        text = client.post(restore(gone), {"confirmed": "1"}, follow=True).content.decode()

        assert "gone.task" in text
        assert Job.objects.get().version == 4

    def test_makes_a_deleted_job_again(self, client: Client) -> None:
        jobs.remove(job=make(paused=True))
        address = addresses.changes(job="nightly")
        assert [bool(row["restore"]) for row in client.get(address).context["rows"]] == [True, True]
        assert "It stays paused." in client.post(restore(newest())).content.decode()

        client.post(restore(newest()), {"confirmed": "1"})

        assert Job.objects.get().state == "paused"

    def test_makes_none_for_who_may_not_add(self, login: Callable[..., Client]) -> None:
        jobs.remove(job=make())
        client = login("view_job", "change_job")

        assert not any(row["restore"] for row in client.get(addresses.changes()).context["rows"])
        assert client.post(restore(newest()), {"confirmed": "1"}).status_code == 403
        assert not Job.objects.exists()


class TestTheDashboard:
    def test_shows_the_newest_changes(self, client: Client) -> None:
        job = make()
        for number in range(1, 7):
            job = jobs.update(job=job, priority=number, actor="ben")

        context = client.get(reverse("admin:scheduler_dashboard")).context

        assert [row["change"].version for row in context["changed"]] == [7, 6, 5, 4, 3]
        assert context["changed"][0]["sentence"] == "Edited by ben"


class TestTheSecondOfTwo:
    def test_is_told_what_the_first_changed(self, client: Client) -> None:
        keep_to_one(timedelta(days=1))
        job = make(trigger=daily(2))
        jobs.update(job=job, trigger=daily(3), actor="ben")

        text = send(client, page("nightly"), name="nightly", seen_version="1").content.decode()

        assert "ben changed this job today" in text
        assert "(cron 0 2 * * * → cron 0 3 * * *)" in text


class TestWords:
    def test_has_a_word_for_each_action_and_way(self) -> None:
        assert set(change_text.ACTIONS) == set(ChangeAction)
        assert set(change_text.VIA) == set(Via)
