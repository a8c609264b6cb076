"""What is done with many jobs and fire times: edits with a preview, backfills, runs with other arguments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from scheduler import sealing
from scheduler.admin import addresses
from scheduler.core import triggers
from scheduler.core.states import RunState
from scheduler.models import BulkAction, Job, Run
from scheduler.services import bulk, jobs
from scheduler.services.bulk import Selection
from tests.integration.admin.test_jobs import LIST, act, make
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
EDIT = {"timezone": "", "interval_seconds": "", "timeout": "", "executor": "", "add_tags": "", "remove_tags": ""}


def cron(id: str) -> Job:
    return make(id, trigger={"type": "cron", "expression": "0 9 * * *", "timezone": "UTC"})


class TestAnEditOfManyJobs:
    def test_shows_what_it_would_change_before_anything_changes(self, client: Client) -> None:
        make("a")
        cron("b")

        response = client.post(
            LIST,
            {
                "action": "edit_many",
                "_selected_action": ["a", "b"],
                **EDIT,
                "interval_seconds": "90 min",
                "preview": "1",
            },
        )

        rows = response.context["question"].preview
        assert [row["text"] for row in rows] == [
            "Trigger: every hour → every 90 minutes",
            "It does not run at an interval.",
        ]
        assert 'name="confirmed"' in response.content.decode()
        assert Job.objects.get(pk="a").version == 1

    def test_cannot_be_confirmed_before_its_preview(self, client: Client) -> None:
        make("a")

        text = client.post(LIST, {"action": "edit_many", "_selected_action": ["a"]}).content.decode()

        assert ("Preview</button>" in text, "Change them</button>" in text) == (True, False)

    def test_changes_zone_interval_limit_executor_and_tags(self, client: Client) -> None:
        make("a", tags=["old"])
        cron("b")
        wanted = {"timezone": "Europe/Berlin", "timeout": "2 h", "executor": "processpool"}

        act(client, "edit_many", "a", "b", **EDIT | wanted | {"add_tags": "new", "remove_tags": "old"})

        changed = Job.objects.get(pk="b")
        assert (changed.trigger["timezone"], changed.timeout, changed.executor) == (
            "Europe/Berlin",
            7200,
            "processpool",
        )
        assert (changed.tags, Job.objects.get(pk="a").tags) == (["new"], ["new"])

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"timeout": "soon"}, "“soon” is not a duration"),
            ({"executor": "gpu"}, "gpu"),
            ({"timezone": "Mars"}, "“Mars” is not a time zone"),
            ({}, "Enter a change"),
        ],
    )
    def test_names_what_does_not_fit(self, client: Client, changes: dict[str, str], sentence: str) -> None:
        make("a")

        response = act(client, "edit_many", "a", **{**EDIT, **changes})

        assert sentence in response.content.decode()
        assert Job.objects.get(pk="a").version == 1

    def test_names_what_does_not_fit_in_the_readers_language(self, client: Client) -> None:
        make("a")
        client.cookies["django_language"] = "es"

        response = act(client, "edit_many", "a", **{**EDIT, "timezone": "Mars"})

        assert "«Mars» no es una zona horaria" in response.content.decode()

    def test_leaves_a_job_alone_that_has_the_value_already(self, client: Client) -> None:
        make("a")

        act(client, "edit_many", "a", **{**EDIT, "interval_seconds": "60 min"})

        assert Job.objects.get(pk="a").version == 1


class TestABackfill:
    @pytest.fixture
    def old(self) -> Job:
        return make("old", trigger={"type": "interval", "hours": 1, "start_at": "2026-01-01T00:00:00Z"})

    window = {"since": "2026-02-01T00:30", "until": "2026-02-01T05:30"}
    """Five fire times of that job are within it."""

    def test_says_what_it_would_queue_first(self, client: Client, old: Job) -> None:
        response = client.post(addresses.job_action("backfill", old.pk), {**self.window, "preview": "1"})

        assert "5 of 5 scheduled times have no run" in response.context["question"].preview[0]["text"]
        assert Run.objects.count() == 0

    def test_goes_on_in_the_background_and_can_be_undone(self, client: Client, old: Job) -> None:
        key = uuid4().hex
        response = client.post(addresses.job_action("backfill", old.pk), {**self.window, "confirmed": key})
        row = BulkAction.objects.get()
        bulk.step(id=row.pk, seconds=PATIENCE_SECONDS)

        assert response.url == reverse("admin:scheduler_bulkaction_change", args=[row.pk])
        row.refresh_from_db()
        assert (row.total, row.done, row.finished_at is not None) == (5, 5, True)
        assert set(Run.objects.values_list("state", "reason_code")) == {("queued", "backfill")}
        undo = client.get(response.url).context["undo_address"]
        client.post(undo, {"confirmed": uuid4().hex})
        bulk.step(id=BulkAction.objects.latest("pk").pk, seconds=PATIENCE_SECONDS)
        assert set(Run.objects.values_list("state", flat=True)) == {RunState.CANCELLED}

    def test_of_a_million_fire_times_goes_through_some_hundred_at_a_time(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = make("seconds", trigger={"type": "interval", "seconds": 1, "start_at": "2026-01-01T00:00:00Z"})
        asked: list[int] = []
        compute = triggers.next_fire_times

        def counting(trigger: Any, *, after: datetime, count: int) -> list[datetime]:
            asked.append(count)
            return compute(trigger, after=after, count=count)

        monkeypatch.setattr(triggers, "next_fire_times", counting)
        window = {"since": "2026-02-01T00:00:00+00:00", "until": "2026-02-12T13:46:39+00:00"}

        shown = client.post(
            addresses.job_action("backfill", old.pk),
            {"since": "2026-02-01T00:00", "until": "2026-02-12T13:46", "preview": "1"},
        )
        row = bulk.begin(
            subject="backfill", action="queue", selection=Selection(ids=(old.pk,)), parameters=window, actor="x"
        )
        row = bulk.step(id=row.pk, seconds=0.0)
        row = bulk.step(id=row.pk, seconds=0.0)

        assert "those without a run would be queued" in shown.context["question"].preview[0]["text"]
        assert (row.total, row.done) == (1_000_000, 400)
        assert list(Run.objects.order_by("scheduled_at").values_list("scheduled_at", flat=True)) == [
            datetime(2026, 2, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(400)
        ]
        assert max(asked) <= 200

    def test_leaves_fire_times_alone_that_have_a_run(self, old: Job) -> None:
        parameters = {name: f"{at}:00+00:00" for name, at in self.window.items()}
        for _ in range(2):
            row = bulk.begin(
                subject="backfill", action="queue", selection=Selection(ids=(old.pk,)), parameters=parameters, actor="x"
            )
            bulk.step(id=row.pk, seconds=PATIENCE_SECONDS)

        assert Run.objects.count() == 5

    def test_ends_when_its_job_is_deleted_meanwhile(self, old: Job) -> None:
        parameters = {name: f"{at}:00+00:00" for name, at in self.window.items()}
        row = bulk.begin(
            subject="backfill", action="queue", selection=Selection(ids=(old.pk,)), parameters=parameters, actor="x"
        )
        jobs.remove(job=old, actor="x")

        assert bulk.step(id=row.pk, seconds=PATIENCE_SECONDS).finished_at is not None

    @pytest.mark.parametrize(
        ("window", "sentence"),
        [
            ({"since": "2026-01-02T00:00", "until": "2026-01-01T00:00"}, "ends"),
            ({"since": "2026-01-02T00:00", "until": "2999-01-01T00:00"}, "in the future"),
            ({"since": "soon", "until": "2026-01-01T00:00"}, "Correct the window"),
        ],
    )
    def test_names_a_window_that_cannot_be(
        self, client: Client, old: Job, window: dict[str, str], sentence: str
    ) -> None:
        response = client.post(addresses.job_action("backfill", old.pk), {**window, "confirmed": "x"})

        assert sentence in response.context["problem"]
        assert BulkAction.objects.count() == 0


class TestARunWithOtherArguments:
    def send(self, client: Client, job: Job, **fields: str) -> Any:
        typed = {f"kwargs-value-{name}": text for name, text in fields.items()}
        sent = {"kwargs-mode": "fields", "confirmed": uuid4().hex, **typed}
        return client.post(addresses.job_action("run_with", job.pk), sent)

    def test_offers_the_typed_fields_filled_as_in_the_job(self, client: Client) -> None:
        job = make("a", kwargs={"days": 7})

        text = client.get(addresses.job_action("run_with", job.pk)).content.decode()

        assert 'name="kwargs-value-days"' in text
        assert 'value="7"' in text

    def test_runs_once_and_leaves_the_job_as_it_is(self, client: Client) -> None:
        job = make("a", kwargs={"days": 7})

        response = self.send(client, job, days="9")

        run = Run.objects.get()
        assert (run.kwargs, response.url) == ({"days": 9}, addresses.run(run.pk))
        assert Job.objects.get().kwargs == {"days": 7}

    def test_names_each_argument_that_does_not_fit(self, client: Client) -> None:
        response = self.send(client, make("a"), days="0", keep="many")

        text = response.content.decode()
        assert "days: “0” must be at least 1." in text
        assert "keep: “many” is not a whole number." in text
        assert Run.objects.count() == 0

    def test_keeps_the_secret_of_the_job(self, client: Client) -> None:
        job = make("a", task="governed.use_secret", kwargs={"token": "hush-hush"})
        sent = {"kwargs-mode": "fields", "kwargs-kept": "token", "confirmed": "k"}

        client.post(addresses.job_action("run_with", job.pk), sent)

        assert sealing.unseal(Run.objects.get().kwargs["token"]) == "hush-hush"

    def test_switches_between_fields_and_json_without_running(self, client: Client) -> None:
        job = make("a", task="governed.use_secret", kwargs={"token": "hush-hush"})
        address = addresses.job_action("run_with", job.pk)
        sent = {"kwargs-mode": "fields", "kwargs-kept": "token", "confirmed": "k"}

        as_json = client.post(address, {**sent, "want": "json"}).content.decode()
        assert 'name="want" value="fields"' in as_json
        assert "hush" not in as_json
        text = unescape(as_json.split('name="kwargs" id="id_kwargs"')[1].split(">", 1)[1].split("</textarea>")[0])
        given = {"kwargs-mode": "json", "kwargs-kept": "token", "kwargs": text, "confirmed": "k"}
        as_fields = client.post(address, {**given, "want": "fields"}).content.decode()

        assert 'name="kwargs-value-token"' in as_fields
        assert Run.objects.count() == 0
        client.post(address, given)
        assert sealing.unseal(Run.objects.get().kwargs["token"]) == "hush-hush"

    def test_runs_when_enter_is_pressed_in_a_field(self, client: Client) -> None:
        text = client.get(addresses.job_action("run_with", make("a").pk)).content.decode()

        assert re.findall(r"<button[^>]*>", text.split('class="ols-confirm"')[1])[0] == "<button hidden>"


class TestAnExportOfRuns:
    def test_has_the_selected_ones_alone(self, client: Client) -> None:
        job = make("a")
        chosen, _ = (jobs.run_now(job=job), jobs.run_now(job=job))

        response = client.post(
            addresses.runs_many(), {"action": "export", "select_across": "0", "_selected_action": [chosen.pk]}
        )

        lines = b"".join(response.streaming_content).decode().splitlines()
        assert (len(lines), lines[1].split(",")[0]) == (2, str(chosen.pk))


class TestTheCommand:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("jobs", "bulk", *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()

    def test_edits_all_that_match(self) -> None:
        make("a", tags=["shop"])
        make("b")

        said = self.run("edit", "--tag", "shop", "--set-interval", "90 min")

        assert "edit: 1 of 1 done, 0 refused." in said
        assert [Job.objects.get(pk=pk).trigger.get("minutes") for pk in ("a", "b")] == [90, None]

    def test_says_what_it_would_change(self) -> None:
        make("a")

        said = self.run("edit", "--all", "--set-timeout", "2 h", "--dry-run")

        assert "7200" in said
        assert Job.objects.get().timeout is None

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [(("run",), "Give a filter"), (("edit", "--all", "--set-timeout", "soon"), "is not a duration")],
    )
    def test_refuses_what_is_unclear(self, arguments: tuple[str, ...], sentence: str) -> None:
        make("a")

        with pytest.raises(CommandError, match=sentence):
            self.run(*arguments)
