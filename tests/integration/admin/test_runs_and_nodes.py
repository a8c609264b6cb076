from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler import conf, sealing
from scheduler.admin import run_list
from scheduler.core.states import NodeState, RunState
from scheduler.models import Node, Run
from scheduler.services import jobs, runs

RUNS = reverse("admin:scheduler_run_changelist")
NODES = reverse("admin:scheduler_node_changelist")
HEALTH = reverse("admin:scheduler_health")

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/scheduler/execution/runner.py", line 73, in _call
    value = function()
  File "/srv/shop.py", line 118, in scrape
    client.get(url)
  File "/srv/.venv/lib/python3.11/site-packages/httpx/_client.py", line 1054, in get
    raise ValueError
ValueError: <i>
"""


def run(**values: Any) -> Run:
    at = values.pop("at", timezone.now())
    values = {"state": RunState.SUCCEEDED, "started_at": at, "finished_at": at + timedelta(seconds=3), **values}
    return Run.objects.create(
        **{
            "job_key": "nightly",
            "job_name": "Nightly cleaning",
            "task": "scheduler.cleanup_jobs",
            "scheduled_at": at,
            "due_at": at,
            "created_at": at,
            "executor": "default",
            **values,
        }
    )


def node(**values: Any) -> Node:
    now = timezone.now()
    return Node.objects.create(
        **{"name": "web-2", "host": "h", "pid": 1, "version": "1", "started_at": now, "heartbeat_at": now, **values}
    )


def page(run: Run) -> str:
    return reverse("admin:scheduler_run_change", args=[run.pk])


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
        with django_assert_max_num_queries(8) as queries:
            client.get(f"{RUNS}?since=2020-01-01T00:00&until=2099-01-01T00:00")
        with django_assert_max_num_queries(8):
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
        assert "The slowest among the newest 5,000" in response.content.decode()

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

        assert "2.0 times what 95 % of its runs take at most (3.0 s)" in rows[0]["bar"]
        assert "1.0 times" in rows[1]["bar"]

    def test_offers_windows_that_say_when_they_are_chosen(self, client: Client) -> None:
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


class TestRunPage:
    def test_begins_with_a_sentence_and_shows_own_frames_first(
        self, client: Client, django_assert_max_num_queries: Callable[..., Any]
    ) -> None:
        shown = run(
            state=RunState.FAILED,
            error="ValueError: <i>",
            traceback=TRACEBACK,
            args=[1],
            kwargs={"days": 7},
            node=node().pk,
            log="02:14:00.120 WARNING here: <b>\x1b[0m",
        )

        with django_assert_max_num_queries(12):
            response = client.get(page(shown))

        text = response.content.decode()
        assert response.context["sentence"] == "Failed after 3.0 s on web-2: ValueError: <i> (shop.py:118)"
        assert text.index("/srv/shop.py") < text.index("site-packages/httpx")
        for part in ("&quot;days&quot;: 7", "here: &lt;b&gt;</bdi>", "The whole traceback, 3 frames"):
            assert part in text

    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({}, "Succeeded after 3.0 s."),
            ({"state": "queued", "started_at": None, "finished_at": None, "held": True}, "Waiting for another run"),
            ({"state": "running", "finished_at": None, "cancel_requested_at": timezone.now()}, "asked to end"),
            ({"state": "timed_out", "error": "TimedOut: 5 s"}, "Timed out after 3.0 s: TimedOut: 5 s"),
            ({"state": "interrupted", "reason": "Its node died."}, "It may or may not have finished."),
            ({"state": "missed", "started_at": None, "reason": "12 min late."}, "Missed: 12 min late."),
            ({"state": "skipped", "started_at": None, "reason": "1 run is active."}, "Skipped: 1 run is active."),
            ({"state": "cancelled", "reason": "Cancelled by anna."}, "Cancelled after 3.0 s: Cancelled by anna."),
        ],
    )
    def test_has_a_sentence_for_every_state(self, client: Client, values: dict[str, Any], sentence: str) -> None:
        assert sentence in client.get(page(run(**values))).context["sentence"]

    def test_shows_the_attempts_and_the_runs_around(self, client: Client) -> None:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        at = timezone.now() - timedelta(hours=5)
        before = run(job=job, at=at - timedelta(hours=1))
        first = run(job=job, at=at, state=RunState.FAILED, error="E")
        second = run(job=job, at=at, attempt=2, kind="retry", state=RunState.FAILED, error="E")
        after = run(job=job, at=at + timedelta(hours=1))

        context = client.get(page(second)).context

        assert [item["run"].pk for item in context["attempts"]] == [first.pk, second.pk]
        assert [item["run"].pk for item in context["around"]] == [before.pk, after.pk, before.pk]

    def test_survives_what_it_points_to_being_gone(self, client: Client) -> None:
        shown = run(previous_id=987_654_321, job_id="never-existed", node=uuid4(), state="failed", error="E")

        assert str(shown.node)[:8] in client.get(page(shown)).content.decode()

    def test_masks_what_is_sealed(self, client: Client) -> None:
        shown = run(kwargs={"token": sealing.seal("hush"), "deep": [sealing.seal("hush")]})

        text = client.get(page(shown)).content.decode()

        assert "$sealed" not in text
        assert text.count("•••") == 4  # among the arguments, and in the text for a ticket

    def test_shows_no_output_to_those_who_may_not_see_it(self, login: Callable[..., Client]) -> None:
        shown = run(kwargs={"days": 7}, log="a line", result=5, traceback=TRACEBACK, state="failed", error="E")
        client = login("view_run")

        text = client.get(page(shown)).content.decode()

        assert not [part for part in ("&quot;days&quot;", "a line", "shop.py") if part in text]
        assert client.get(action("log", shown)).status_code == 403

    def test_serves_the_log_as_a_file(self, client: Client) -> None:
        response = client.get(action("log", run(log="<b>")))

        assert (response.content, response["Content-Type"]) == (b"<b>", "text/plain; charset=utf-8")
        assert "attachment" in response["Content-Disposition"]

    def test_cannot_be_changed_by_anybody(self, client: Client) -> None:
        shown = run()

        assert client.post(page(shown), {"state": "failed"}).status_code == 403
        assert client.get(reverse("admin:scheduler_run_add")).status_code == 403
        assert client.post(reverse("admin:scheduler_run_delete", args=[shown.pk]), {"post": "yes"}).status_code == 403
        assert client.post(RUNS, {"action": "delete_selected", "_selected_action": [shown.pk]}).status_code == 405
        assert Run.objects.get().state == RunState.SUCCEEDED

    @pytest.mark.parametrize("id", ["0", "9" * 30, "x"])
    def test_is_not_there_for_what_never_was(self, client: Client, id: str) -> None:
        assert client.get(f"{RUNS}{id}/change/").status_code == 404

    def test_is_closed_without_the_permission(self, login: Callable[..., Client]) -> None:
        assert login("view_job").get(page(run())).status_code == 403

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(0.0042, "4 ms"), (3, "3.0 s"), (59.94, "59.9 s"), (119.6, "2 min 0 s"), (3 * 3600 + 125, "3 h 2 min")],
    )
    def test_says_how_long_it_took(self, client: Client, seconds: float, words: str) -> None:
        at = timezone.now()
        shown = run(started_at=at, finished_at=at + timedelta(seconds=seconds))

        assert f"took {words}" in client.get(page(shown)).content.decode()


def action(name: str, run: Run) -> str:
    return reverse(f"admin:scheduler_run_{name}", args=[run.pk])


def yes(client: Client, address: str, **answer: str) -> Any:
    return client.post(address, {"confirmed": uuid4().hex, **answer})


class TestRunActions:
    @pytest.fixture
    def failed(self, db: None) -> Run:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        return run(job=job, state=RunState.FAILED, error="E", kwargs={"days": 7})

    @pytest.mark.parametrize("name", ["retry", "again", "cancel"])
    def test_ask_first_and_answer_only_to_post(self, client: Client, failed: Run, name: str) -> None:
        assert client.get(action(name, failed)).status_code == 405
        assert 'name="confirmed"' in client.post(action(name, failed)).content.decode()
        assert Run.objects.count() == 1

    def test_retry_queues_one_attempt_however_often_yes_is_sent(self, client: Client, failed: Run) -> None:
        first = yes(client, action("retry", failed), confirmed="key")
        second = yes(client, action("retry", failed), confirmed="key")

        created = Run.objects.get(attempt=2)
        assert (created.kind, created.requested_by) == ("retry", "anna")
        assert first.url == second.url == page(created)

    def test_run_again_takes_other_arguments(self, client: Client, failed: Run) -> None:
        yes(client, action("again", failed), arguments='{"days": 9}')

        assert Run.objects.get(kind="manual").kwargs == {"days": 9}

    @pytest.mark.parametrize(
        ("typed", "sentence"), [("{", "not JSON"), ("[1]", "object"), ('{"dayz": 1}', "Did you mean “days”?")]
    )
    def test_run_again_keeps_what_was_typed_and_says_what_is_wrong(
        self, client: Client, failed: Run, typed: str, sentence: str
    ) -> None:
        response = yes(client, action("again", failed), arguments=typed)

        assert sentence in response.context["problem"]
        assert response.context["question"].arguments == typed
        assert Run.objects.count() == 1

    def test_run_again_keeps_a_secret_whose_mask_was_left(self, client: Client) -> None:
        job = jobs.create(
            id="call",
            task="governed.use_secret",
            kwargs={"token": "hush-hush"},
            trigger={"type": "interval", "hours": 1},
        )
        before = run(job=job, task=job.task, kwargs=job.kwargs)

        shown = client.post(action("again", before)).context["question"].arguments
        yes(client, action("again", before), arguments=shown)

        assert "•••" in shown
        assert Run.objects.get(kind="manual").kwargs == job.kwargs

    def test_cancel_ends_what_has_not_begun(self, client: Client, failed: Run) -> None:
        queued = runs.retry(run=failed)

        response = yes(client, action("cancel", queued))

        queued.refresh_from_db()
        assert (response.url, queued.state) == (page(queued), RunState.CANCELLED)
        assert "anna" in queued.reason

    def test_say_what_the_services_refused(self, client: Client, failed: Run) -> None:
        response = client.post(action("cancel", failed), {"confirmed": "x"}, follow=True)

        assert "has finished already" in response.content.decode()

    def test_say_that_it_is_running(self, client: Client, failed: Run) -> None:
        run(job=failed.job, at=timezone.now() + timedelta(1), state=RunState.RUNNING, finished_at=None, node=node().pk)

        text = client.post(action("retry", failed)).content.decode()

        assert "It is running now on web-2. This one waits until a run ends." in text

    @pytest.mark.parametrize(
        ("permissions", "allowed"),
        [
            (("view_run",), set()),
            (("view_run", "retry_run"), {"retry"}),
            (("view_run", "cancel_run"), {"cancel"}),
            (("view_run", "run_job"), set()),
            (("view_run", "run_job", "view_run_output"), {"again"}),
            (("retry_run", "cancel_run", "run_job", "view_run_output"), set()),
        ],
    )
    def test_open_to_those_who_were_allowed_and_shown_to_no_others(
        self, login: Callable[..., Client], failed: Run, permissions: tuple[str, ...], allowed: set[str]
    ) -> None:
        client = login(*permissions)

        open_ones = {
            name for name in ("retry", "again", "cancel") if client.post(action(name, failed)).status_code == 200
        }
        text = client.get(page(failed)).content.decode()

        assert open_ones == allowed
        assert {name for name in ("retry", "again", "cancel") if action(name, failed) in text} == allowed - {"cancel"}


class TestNodes:
    def test_are_shown_and_cannot_be_changed(self, client: Client) -> None:
        seen = node(state=NodeState.LOST, reason="No heartbeat since noon.")
        address = reverse("admin:scheduler_node_change", args=[seen.pk])

        assert "web-2" in client.get(NODES).content.decode()
        assert "No heartbeat since noon." in client.get(address).content.decode()
        assert client.post(address, {"name": "x"}).status_code == 403
        assert client.get(reverse("admin:scheduler_node_add")).status_code == 403

    def test_are_called_silent_when_they_are(self, client: Client) -> None:
        node(heartbeat_at=timezone.now() - timedelta(minutes=4))

        assert "silent" in client.get(NODES).content.decode()


class TestHealth:
    def test_says_what_is_wrong_and_what_to_do(self, login: Callable[..., Client]) -> None:
        job = jobs.create(id="nightly", task="scheduler.cleanup_jobs", trigger={"type": "interval", "hours": 1})
        type(job).objects.update(next_run_time=timezone.now() - timedelta(minutes=5))

        response = login("view_node").get(HEALTH)

        assert response.context["sentence"].startswith("Something has failed. No node is alive")
        assert "FAIL overdue: 1 job" in response.context["text"]
        assert "manage.py runscheduler" in response.content.decode()

    def test_says_that_all_is_well(self, client: Client) -> None:
        node()

        assert client.get(HEALTH).context["sentence"] == "All is well."
        assert HEALTH in client.get(NODES).content.decode()

    def test_is_closed_without_the_permission(self, login: Callable[..., Client]) -> None:
        assert login("view_job").get(HEALTH).status_code == 403

    def test_shows_each_value_beside_its_limit(self, client: Client) -> None:
        node()

        rows = {row["name"]: (row["value"], row["limit"]) for row in client.get(HEALTH).context["rows"]}

        assert rows["nodes"] == ("1", "≥ 1")
        assert rows["overdue"] == ("0 s", f"≤ {conf.get().overdue_seconds:g} s")
        assert rows["broken jobs"] == ("0", "≤ 0")
