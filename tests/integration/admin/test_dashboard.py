from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler.admin import addresses
from scheduler.core.states import NodeState, RunState
from scheduler.models import Job, NodeMeasure, Rollup
from tests.integration.admin.runs import node, run
from tests.integration.admin.test_jobs import make

DASHBOARD = reverse("admin:scheduler_dashboard")
HOUR = timedelta(hours=1)
LATER = timezone.now().replace(minute=10, second=3, microsecond=0) + 2 * HOUR


def sentence(client: Client) -> str:
    found: str = client.get(DASHBOARD).context["sentence"]
    return found


@pytest.mark.usefixtures("patient_with_heartbeats")
class TestDashboard:
    def test_says_in_one_sentence_whether_it_is_all_right(self, client: Client) -> None:
        assert sentence(client).startswith("No scheduler is running. Start one with")

        seen = node()
        make("a")
        assert sentence(client) == "1 job is OK. The scheduler is running on 1 node."

        node(name="web-3")
        for id in ("b", "c", "d"):
            make(id)
        assert sentence(client) == "All 4 jobs are OK. The scheduler is running on 2 nodes."

        Job.objects.filter(pk__in=("a", "b")).update(consecutive_failures=1)
        Job.objects.filter(pk="c").update(next_run_time=timezone.now() - HOUR)
        Job.objects.filter(pk="d").update(state="broken")
        assert sentence(client).startswith("1 job is overdue by up to 1 h: no node has planned it. 1 job cannot run")

        type(seen).objects.update(heartbeat_at=timezone.now() - timedelta(minutes=4))
        assert sentence(client).startswith("No scheduler is running: last heartbeat 4 min ago. No jobs will start.")

    def test_shows_each_trouble_with_its_error_and_since_when(self, client: Client) -> None:
        job = make(name="Feed", description="Ask Ben.")
        now = timezone.now()
        run(job=job, at=now - 9 * HOUR)
        first = run(job=job, at=now - 8 * HOUR, state="failed", error="403 <b>")
        last = run(job=job, at=now - 7 * HOUR, state="failed", error="404 <b>")
        Job.objects.update(consecutive_failures=2)

        response = client.get(DASHBOARD)

        row = response.context["attention"][0]
        assert (row["problem"], row["since"]) == ("404 <b>", first.scheduled_at)
        assert row["error_address"] == addresses.run(last.pk)
        assert "Ask Ben." in response.content.decode()
        assert "<b>" not in response.content.decode().partition("Needs attention")[2].partition("</table>")[0]
        assert re.search(r"<title>\s*\(1\) Scheduler", response.content.decode())

    def test_draws_lanes_for_what_ran_or_will(self, client: Client) -> None:
        run(job=make("ran", paused=True), at=timezone.now() - HOUR, state="failed", error="E")
        make("often", trigger={"type": "interval", "seconds": 1})
        make("idle", paused=True)

        drawn = client.get(DASHBOARD).context["timeline"]

        assert [id for id in ("ran", "often", "idle") if addresses.job(id) in drawn] == ["ran", "often"]
        assert "failed</title>" in drawn
        assert drawn.count("ols-planned") == 1

    def test_draws_the_hours_of_a_job_that_runs_often_and_links_each(self, client: Client) -> None:
        job = make()
        now = timezone.now()
        for minutes in range(1, 66):
            run(job=job, at=now - timedelta(minutes=minutes))
        hour = now.replace(minute=0, second=0, microsecond=0) - 2 * HOUR
        Rollup.objects.create(job_key=job.pk, hour=hour, succeeded=14, failed=1, last_finished_at=hour)
        Rollup.objects.create(job_key=job.pk, hour=hour - HOUR, succeeded=15, last_finished_at=hour)
        Rollup.objects.create(job_key="other", hour=hour, succeeded=100, last_finished_at=hour)

        context = client.get(DASHBOARD).context
        drawn = context["timeline"]

        assert drawn.count("<rect") == 2 + drawn.count("ols-planned")
        assert ("14 of 15 OK" in drawn, "15 of 15 OK" in drawn, drawn.count("<path")) == (True, True, 1)
        assert "tab=failed" in drawn
        assert (context["timeline_rows"][0]["succeeded"], context["timeline_rows"][0]["ended"]) == (29, 30)
        assert str(context["counts"][-1]["number"]) == "99.2 %"

    def test_says_why_something_comes(self, client: Client) -> None:
        job = make("plain")
        tried = make("tried", max_retries=3)
        soon = timezone.now() + timedelta(minutes=20)
        waits = {"state": RunState.QUEUED, "started_at": None, "finished_at": None}
        run(job=tried, at=soon, kind="retry", attempt=3, **waits)
        run(job=job, at=timezone.now() - HOUR, coalesced=4, **waits)
        run(job=job, at=timezone.now(), **waits)

        whys = [row["why"] for row in client.get(DASHBOARD).context["upcoming"]]

        assert whys == ["catch-up: also covers 4 earlier scheduled times", "retry 2 of 3", "every hour", "every hour"]

    def test_tells_the_tab_that_something_fails(self, client: Client) -> None:
        make()
        fine = client.get(DASHBOARD).content.decode()
        Job.objects.update(consecutive_failures=1)
        failing = client.get(DASHBOARD).content.decode()

        assert ("icon-failing" in fine, "icon-failing" in failing) == (False, True)

    def test_says_what_to_look_at_when_all_nodes_are_silent(self, client: Client) -> None:
        make()
        assert "Check that this process is running" not in client.get(DASHBOARD).content.decode()

        node(heartbeat_at=timezone.now() - timedelta(minutes=4))

        assert "Check that this process is running" in client.get(DASHBOARD).content.decode()

    def test_shows_as_text_whatever_names_and_errors_hold(self, client: Client) -> None:
        run(job=make(), state=RunState.FAILED, error="<script>\x1b[31m\u202e")
        Job.objects.update(consecutive_failures=1, name="<b>\u202e name")

        text = client.get(DASHBOARD).content.decode()

        assert "<bdi>&lt;script&gt;␛[31m\ufffd</bdi>" in text
        assert not [mark for mark in ("<script>\x1b", "<b>\u202e", "\x1b", "\u202e") if mark in text]

    def test_says_how_much_longer_than_usual_a_run_takes(self, client: Client) -> None:
        job = make()
        now = timezone.now()
        for hours in range(1, 6):
            at = now - hours * HOUR
            run(job=job, at=at, finished_at=at + timedelta(minutes=15))
        begun = now - timedelta(minutes=151)
        run(
            job=job,
            at=begun,
            state=RunState.RUNNING,
            node=node().pk,
            started_at=begun,
            finished_at=None,
            progress={"done": 4, "total": 10, "message": "pages"},
        )

        row = client.get(DASHBOARD).context["running"][0]

        assert (row["usual"], row["longer"], row["progress"]["text"]) == (
            "15 min 0 s",
            "10× longer than usual",
            "4 of 10 pages",
        )

    def test_shows_odd_nodes(self, client: Client) -> None:
        node(name="silent", heartbeat_at=timezone.now() - timedelta(minutes=4))
        skewed = node(name="skewed", version="2", stuck=1)
        node(name="plain")
        node(name="long gone", state=NodeState.STOPPED, heartbeat_at=timezone.now() - timedelta(days=2))
        now = timezone.now()
        NodeMeasure.objects.create(node=skewed, clock_at=now + timedelta(seconds=9), reported_at=now, backlog=0)

        rows = {row["node"].name: row for row in client.get(DASHBOARD).context["nodes"]}

        assert set(rows) == {"silent", "skewed", "plain"}
        assert str(rows["silent"]["mark"].word) == "silent"
        assert rows["skewed"]["odd"] == "versions differ, clock 9.0 s off, 1 hung thread"

    def test_says_of_how_many_jobs_it_shows_a_part(self, client: Client) -> None:
        job = make()
        run(job=job)
        for number in range(21):
            make(f"paused-{number}", paused=True)

        shown = client.get(DASHBOARD).content.decode()

        assert "20 of 22 jobs: those with problems first" in shown
        assert "and 16 more" in shown

    def test_links_counts_to_filtered_lists(self, client: Client) -> None:
        make()
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        Rollup.objects.create(job_key="nightly", hour=hour, succeeded=98, failed=2, last_finished_at=hour)

        counts = client.get(DASHBOARD).context["counts"]

        assert counts[-1]["number"] == "98.0 %"
        assert {client.get(count["address"]).status_code for count in counts} == {200}

    def test_survives_jobs_that_raw_sql_has_damaged(self, client: Client) -> None:
        make()
        Job.objects.update(trigger=[7], args=7, kwargs=[1])
        run(job=Job.objects.get(), state="running", finished_at=None, progress=["?"])

        assert client.get(DASHBOARD).status_code == 200

    def test_writes_numbers_as_the_reader_does(self, client: Client) -> None:
        make()
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        Rollup.objects.create(job_key="nightly", hour=hour, succeeded=27_111, failed=4_935, last_finished_at=hour)

        english, spanish = (
            " ".join(client.get(DASHBOARD, headers={"accept-language": language}).text.split())
            for language in ("en", "es")
        )

        assert "<strong>84.6 %</strong> of 32,046 scheduled times in 24 h succeeded" in english
        assert "<strong>84,6 %</strong> de 32 046 horas programadas" in spanish
        assert "<strong>0</strong> fallan" in spanish
        assert "<strong>1</strong> bien" in spanish

    def test_sends_its_live_region_compressed(self, client: Client) -> None:
        for number in range(20):
            run(job=make(f"job-{number}"), at=timezone.now() - HOUR)

        plain = client.get(f"{DASHBOARD}?part=live")
        packed = client.get(f"{DASHBOARD}?part=live", headers={"accept-encoding": "gzip"})

        assert (plain.get("Content-Encoding"), packed.get("Content-Encoding")) == (None, "gzip")
        assert len(packed.content) < len(plain.content) / 3

    def test_does_a_fixed_number_of_queries_and_counts_no_runs(
        self, login: Callable[..., Client], django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        for number in range(30):
            job = make(f"job-{number}")
            run(job=job, state="failed", error="E", node=node().pk)
            run(job=job, at=timezone.now() + HOUR, state="running", finished_at=None)
        Job.objects.update(consecutive_failures=1)
        client = login("view_job", "view_run", "run_job", "cancel_run", "add_job", "view_node")

        with django_assert_max_num_queries(24) as queries:
            client.get(DASHBOARD)

        assert all(query["sql"].lstrip("(-").startswith(("SELECT", "WITH")) for query in queries)

    def test_answers_its_live_region_with_304_while_nothing_changes(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(paused=True)
        Job.objects.update(updated_at=LATER - timedelta(days=3), state_changed_at=None)
        monkeypatch.setattr(timezone, "now", lambda: LATER)

        first = client.get(f"{DASHBOARD}?part=live")
        again = client.get(f"{DASHBOARD}?part=live", headers={"if-none-match": first["ETag"]})

        assert (first.status_code, again.status_code) == (200, 304)

    def test_answers_with_304_until_the_drawing_moves_on(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        node()
        job = make()
        for hours in range(1, 12):
            run(job=job, at=LATER - hours * HOUR)
        Job.objects.update(updated_at=LATER - timedelta(days=3), state_changed_at=None, next_run_time=LATER + 2 * HOUR)
        times = [LATER, LATER + timedelta(seconds=5), LATER + timedelta(minutes=4, seconds=54)]

        answers = []
        for at in (*times, LATER + timedelta(minutes=5)):
            monkeypatch.setattr(timezone, "now", lambda at=at: at)
            tag = {"if-none-match": answers[0]["ETag"]} if answers else {}
            answers.append(client.get(f"{DASHBOARD}?part=live", headers=tag))

        assert [answer.status_code for answer in answers] == [200, 304, 304, 200]

    def test_offers_nothing_that_would_refuse(self, login: Callable[..., Client]) -> None:
        run(job=make(), state="failed", error="secret error")
        Job.objects.update(consecutive_failures=1)

        text = login("view_job").get(DASHBOARD).content.decode()

        assert "formaction" not in text
        assert "secret error" not in text

    @pytest.mark.parametrize("address", [reverse("admin:index"), reverse("admin:app_list", args=["scheduler"])])
    def test_is_linked_for_those_who_may_see_it(self, login: Callable[..., Client], address: str) -> None:
        assert DASHBOARD in login("view_job").get(address).content.decode()

    def test_is_closed_to_others(self, login: Callable[..., Client]) -> None:
        assert login("view_run").get(DASHBOARD).status_code == 403
