from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.models import Job, Run
from scheduler.services import jobs
from tests.integration.admin.runs import node, run, yes
from tests.integration.admin.test_jobs import LIST, make, said
from tests.own_markup import IS_UNFOLD, inline_code
from tests.waiting import keep_to_one


def sentence(client: Client, job_id: str = "nightly") -> str:
    found: str = client.get(addresses.job(job_id)).context["sentence"]
    return found


class TestJobPage:
    def test_shows_when_what_and_by_which_rules(
        self, login: Callable[..., Client], django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        job = make(kwargs={"days": 7}, description="Ask Ben.\nhttps://example.org/<b>", max_retries=3, timeout=90)
        for number in range(5):
            run(job=job, at=timezone.now() - timedelta(hours=number + 1), node=node().pk)
        client = login("view_job", "view_run")

        with django_assert_max_num_queries(14) as queries:
            response = client.get(addresses.job("nightly"))

        text = response.content.decode()
        for part in (
            "every hour",
            "&quot;days&quot;: 7",
            "Ask Ben.",
            "3 retries",
            "Time limit: 1 min 30 s.",
            "Times in UTC",
        ):
            assert part in text
        assert len(response.context["upcoming"]) == 8
        # The ledger is not counted: only the runs that have not ended, by their own index.
        counts = [
            query["sql"] for query in queries if "COUNT(" in query["sql"].upper() and "scheduler_run" in query["sql"]
        ]
        assert all('"finished_at" IS NULL' in count for count in counts)
        assert "<b>" not in text

    @pytest.mark.parametrize(("unit", "pattern"), [("seconds", r"\d\d:\d\d:\d\d ·"), ("hours", r" \d\d:\d\d ·")])
    def test_tells_fire_times_apart(self, client: Client, unit: str, pattern: str) -> None:
        make(trigger={"type": "interval", unit: 10})

        region = client.get(addresses.job("nightly"), {"part": "live"}).text
        listed = region.partition("<ol")[2].partition("</ol>")[0]

        assert len(re.findall(pattern, listed)) == 8

    def test_says_how_the_job_is(self, client: Client) -> None:
        keep_to_one(timedelta(days=1))
        job = make()
        assert sentence(client).startswith("It has not run yet. Next run in 59 min")

        run(job=job, at=timezone.now() - timedelta(minutes=90))
        assert sentence(client).startswith("Last run: succeeded, 1 h ago.")

        run(job=job, at=timezone.now() - timedelta(hours=1), state="failed", error="ValueError: bad\nmore")
        Job.objects.update(consecutive_failures=2)
        assert sentence(client).startswith("Failing: 2 times in a row. ValueError: bad. Last success ")

        Job.objects.update(consecutive_failures=0, next_run_time=timezone.now() - timedelta(minutes=3, seconds=1))
        assert sentence(client).startswith("Overdue 3 min")

        jobs.pause(job=job, actor="anna", reason="proxy banned")
        assert sentence(client).startswith("Paused by anna since today")
        assert sentence(client).endswith(": “proxy banned”.")

        Job.objects.update(state="broken", reason_text="No task.")
        assert sentence(client) == "Cannot run: No task."

        Job.objects.update(state="finished", reason_text="It has no further fire time.")
        assert sentence(client) == "Finished. It has no further fire time."

    def test_says_that_its_first_run_is_running(self, client: Client) -> None:
        job = make()
        now = run(job=job, state="running", finished_at=None)

        assert sentence(client).startswith("Its first run is running. Next run in 59 min")

        run(job=job, at=now.scheduled_at - timedelta(hours=1))
        assert sentence(client).startswith("Last run: succeeded, ")

    def test_draws_durations_with_their_median_and_their_scale(self, client: Client) -> None:
        job = make()
        for hours, seconds in enumerate((60, 2, 2), start=1):
            at = timezone.now() - timedelta(hours=hours)
            run(job=job, at=at, finished_at=at + timedelta(seconds=seconds))

        text = client.get(addresses.job("nightly")).text

        assert 'aria-label="Durations of 3 runs: median 2.0 s, longest 1 min 0 s"' in text
        assert "Oldest first. The highest bar is 1 min 0 s, the dashed line the median." in text
        assert "median 2.0 s, p95 1 min 0 s" in text

    def test_masks_secrets(self, client: Client) -> None:
        make(task="governed.use_secret", kwargs={"token": "hush-hush"})

        text = client.get(addresses.job("nightly")).content.decode()

        assert ("•••" in text, "$sealed" in text) == (True, False)

    def test_is_found_by_ids_that_addresses_cannot_hold(self, client: Client) -> None:
        make("a/b c?d_e", name="odd")

        assert client.get(addresses.job("a/b c?d_e")).context["job"].name == "odd"
        assert client.get(addresses.job("nobody")).status_code == 404

    def test_offers_only_what_would_not_refuse(self, login: Callable[..., Client]) -> None:
        make()

        may = login("view_job").get(addresses.job("nightly")).context["may"]

        assert set(may.values()) == {False}

    def test_groups_the_errors_of_the_last_week(self, client: Client) -> None:
        job = make()
        for number in range(3):
            at = timezone.now() - timedelta(hours=number + 1)
            run(job=job, at=at, state="failed", error=f"Error {number}")
        run(job=job, at=timezone.now() - timedelta(days=8), state="failed", error="Other")

        groups = client.get(addresses.job("nightly")).context["groups"]

        assert [(item["group"].text, item["group"].count) for item in groups] == [("Error 0", 3)]

    def test_writes_nothing(self, client: Client) -> None:
        run(job=make())
        client.get(LIST)

        with CaptureQueriesContext(connection) as queries:
            for address in (LIST, addresses.job("nightly"), addresses.runs(), addresses.run(Run.objects.get().pk)):
                client.get(address)

        assert not [query["sql"] for query in queries if not query["sql"].lstrip("( ").startswith(("SELECT", "WITH"))]


class TestJobActions:
    @pytest.mark.parametrize("name", ["pause", "resume", "run"])
    def test_ask_first_and_answer_only_to_post(self, client: Client, name: str) -> None:
        make()
        address = addresses.job_action(name, "nightly")

        assert 'name="confirmed"' in client.get(address, {"confirmed": "1"}).content.decode()
        assert 'name="confirmed"' in client.post(address).content.decode()
        assert (Run.objects.count(), Job.objects.get().version) == (0, 1)

    def test_pause_keeps_the_reason_and_resume_says_when(self, client: Client) -> None:
        make()

        yes(client, addresses.job_action("pause", "nightly"), reason=" proxy\x1bbanned ")
        paused = Job.objects.get()
        answer = yes(client, addresses.job_action("resume", "nightly"))

        assert (paused.state, paused.state_reason, paused.state_changed_by) == ("paused", "proxy␛banned", "anna")
        assert "is resumed. Next run: " in said(answer)[-1]

    def test_run_leads_to_the_run(self, client: Client) -> None:
        make()

        answer = yes(client, addresses.job_action("run", "nightly"))

        assert answer.url == addresses.run(Run.objects.get().pk)

    def test_run_says_that_it_is_running(self, client: Client) -> None:
        run(job=make(max_instances=2), state="running", finished_at=None, node=node().pk)

        text = client.post(addresses.job_action("run", "nightly")).content.decode()

        assert "Already running on web-2. A second run will start in parallel." in text

    @pytest.mark.parametrize(
        ("permissions", "allowed"),
        [
            (("view_job",), set()),
            (("view_job", "pause_job"), {"pause", "resume"}),
            (("view_job", "run_job"), {"run"}),
            (("pause_job", "run_job"), set()),
        ],
    )
    def test_open_to_those_who_were_allowed(
        self, login: Callable[..., Client], permissions: tuple[str, ...], allowed: set[str]
    ) -> None:
        make()
        client = login(*permissions)

        answers = {
            name: client.post(addresses.job_action(name, "nightly")).status_code for name in ("pause", "resume", "run")
        }

        assert {name for name, status in answers.items() if status == 200} == allowed
        assert set(answers.values()) <= {200, 403}


class TestJobListRows:
    def test_puts_the_worst_first_and_counts_each_state(self, client: Client) -> None:
        make("fine")
        make("paused", paused=True)
        make("failing")
        make("late")
        Job.objects.filter(pk="failing").update(consecutive_failures=2)
        Job.objects.filter(pk="late").update(next_run_time=timezone.now() - timedelta(minutes=3))

        context = client.get(LIST).context

        assert [job.pk for job in context["cl"].result_list] == ["failing", "late", "fine", "paused"]
        assert [(str(tab["text"]), tab["count"]) for tab in context["tabs"]] == [
            ("All", 4),
            ("failing", 1),
            ("overdue", 1),
            ("OK", 1),
            ("paused", 1),
        ]

    def test_says_overdue_and_never_in_0_minutes(self, client: Client) -> None:
        make()
        Job.objects.update(next_run_time=timezone.now() - timedelta(minutes=3, seconds=5))

        text = client.get(LIST).content.decode()

        assert "overdue 3 min" in text
        assert "in 0" not in text

    def test_draws_the_last_20_runs_with_words(self, client: Client) -> None:
        job = make()
        for number in range(25):
            state = {"state": "failed", "error": "ValueError: bad"} if number == 0 else {}
            run(job=job, at=timezone.now() - timedelta(minutes=number + 1), **state)

        text = client.get(LIST).content.decode()

        assert 'aria-label="Last 20: 19 succeeded, 1 failed"' in text
        assert "ValueError: bad" in text

    def test_keeps_runs_from_those_who_may_not_see_them(self, login: Callable[..., Client]) -> None:
        run(job=make(), state="failed", error="ValueError: bad")
        Job.objects.update(consecutive_failures=1)

        client = login("view_job")

        assert "ValueError" not in client.get(LIST).content.decode()
        assert "ValueError" not in client.get(addresses.job("nightly")).content.decode()


class TestContentPolicy:
    @pytest.mark.skipif(IS_UNFOLD, reason="Unfold's own scripts stand within its pages: see settings_unfold.")
    @pytest.mark.parametrize("address", [LIST, reverse("admin:index"), reverse("admin:scheduler_job_add")])
    def test_allows_nothing_from_elsewhere_and_nothing_inline(self, client: Client, address: str) -> None:
        response = client.get(address)

        policy = {part.strip() for part in response["Content-Security-Policy"].split(";")}
        assert policy == {
            "default-src 'self'",
            "img-src 'self' data:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
        }
        assert not [part for part in (" style=", "<script>", " onclick=", "javascript:") if part in response.text]

    @pytest.mark.parametrize(
        "address", [LIST, reverse("admin:scheduler_dashboard"), reverse("admin:scheduler_job_add")]
    )
    def test_would_refuse_nothing_of_ours_in_any_theme(self, client: Client, address: str) -> None:
        assert inline_code(client.get(address).text) == []
