"""Jobs are created, edited, cloned and deleted at a shell, and runs are cancelled and retried."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from scheduler.core.states import JobState, RunState
from scheduler.management import printing
from scheduler.models import BulkAction, Change, Job, Run
from scheduler.services import bulk, jobs

pytestmark = pytest.mark.django_db


def run(*words: str) -> Any:
    out = io.StringIO()
    call_command(*words, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def refusal(*words: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        call_command(*words, stdout=io.StringIO(), stderr=io.StringIO())
    return caught.value


def make(id: str = "a") -> Job:
    return jobs.create(id=id, task="sample.square", kwargs={"number": 3}, trigger={"type": "interval", "hours": 1})


class TestJobs:
    @pytest.mark.parametrize(
        ("when", "trigger"),
        [
            (("--cron", "0 3 * * mon"), {"type": "cron", "expression": "0 3 * * mon", "timezone": "UTC"}),
            (
                ("--cron", "0 3 * * mon", "--tz", "Europe/Berlin"),
                {"type": "cron", "expression": "0 3 * * mon", "timezone": "Europe/Berlin"},
            ),
            (("--at", "2090-03-01T09:00"), {"type": "date", "run_at": "2090-03-01T09:00:00", "timezone": "UTC"}),
            (("--trigger", '{"type": "cron", "expression": "@daily"}'), {"type": "cron", "expression": "@daily"}),
        ],
    )
    def test_are_created(self, when: tuple[str, ...], trigger: dict[str, Any]) -> None:
        policies = ("--set", "max_retries=3", "--set", "overlap=queue")
        shown = run("jobs", "create", "new", "--task", "sample.square", "--kwargs", '{"number": 3}', *when, *policies)

        job = Job.objects.get()
        assert (shown["id"], job.max_retries, job.overlap, job.kwargs) == ("new", 3, "queue", {"number": 3})
        assert {**job.trigger, **trigger} == job.trigger
        assert Change.objects.get().via == "command"

    def test_are_edited_where_something_is_given(self) -> None:
        make()
        run("jobs", "edit", "a", "--every", "30m", "--name", "Half an hour", "--reason", "Too rare.")

        job = Job.objects.get()
        assert (job.trigger["minutes"], job.name, job.kwargs) == (30, "Half an hour", {"number": 3})
        assert refusal("jobs", "edit", "a").returncode == printing.NOT_ASKED

    def test_get_another_zone_alone(self) -> None:
        run("jobs", "create", "a", "--task", "sample.nothing", "--cron", "0 9 * * *")
        run("jobs", "edit", "a", "--tz", "Europe/Berlin")

        assert Job.objects.get().trigger == {"type": "cron", "expression": "0 9 * * *", "timezone": "Europe/Berlin"}

    def test_are_cloned_and_deleted(self) -> None:
        make()
        run("jobs", "clone", "a", "b")
        assert Job.objects.get(pk="b").state == JobState.PAUSED

        assert run("jobs", "delete", "a", "b") == [
            {"id": "a", "ok": True, "detail": None},
            {"id": "b", "ok": True, "detail": None},
        ]
        assert not Job.objects.exists()
        assert refusal("jobs", "delete", "a").returncode == printing.REFUSED

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("--every", "soon"), "“soon” is not a span. Write it as 90s"),
            (("--every", "30m", "--set", "max_retries"), "--set is “max_retries”. Write it as max_retries=3."),
            (("--every", "30m", "--set", "max_retrys=3"), "max_retrys"),
            (("--every", "30m", "--kwargs", "[]"), "--kwargs is not a JSON object."),
            (("--cron", "0 25 * * *"), "Hour “25”"),
        ],
    )
    def test_that_are_wrong_are_refused_with_a_sentence(self, words: tuple[str, ...], sentence: str) -> None:
        assert sentence in str(refusal("jobs", "create", "a", "--task", "sample.nothing", *words))
        assert not Job.objects.exists()


class TestManyJobs:
    """The same words for jobs by id and for all that match."""

    def test_are_paused_resumed_and_deleted(self) -> None:
        make()
        make("b")
        jobs.update(job="a", tags=["shop"])
        shop = ("--tag", "shop")

        assert [row["id"] for row in run("jobs", "pause", *shop, "--dry-run")] == ["a"]
        assert run("jobs", "pause", *shop, "--until", "2999-01-01T09:00:00+01:00", "--reason", "Stock")["done"] == 1
        paused = Job.objects.get(state=JobState.PAUSED)
        assert (paused.pk, paused.state_reason, paused.paused_until.year) == ("a", "Stock", 2999)
        assert run("jobs", "resume", "--state", "paused")["done"] == 1
        assert run("jobs", "delete", *shop)["done"] == 1
        assert list(Job.objects.values_list("pk", flat=True)) == ["b"]
        assert run("jobs", "delete", "--all")["done"] == 1

    @pytest.mark.parametrize("word", ["pause", "resume", "delete"])
    @pytest.mark.parametrize("which", [(), ("a", "--tag", "shop"), ("a", "--all"), ("a", "--dry-run")])
    def test_are_never_all_there_are(self, word: str, which: tuple[str, ...]) -> None:
        make()

        assert refusal("jobs", word, *which).returncode == printing.NOT_ASKED
        assert Job.objects.get().state == JobState.ACTIVE


class TestRuns:
    """One command for one run and for all that match."""

    def test_are_cancelled_and_retried_by_number(self) -> None:
        waiting = jobs.run_now(job=make())

        assert run("runs", "cancel", str(waiting.pk))["done"] == 1
        assert Run.objects.get(pk=waiting.pk).state == RunState.CANCELLED
        (attempt,) = run("runs", "retry", str(waiting.pk))["attempts"]
        assert attempt["run"] == waiting.pk
        assert Run.objects.get(pk=attempt["attempt"]).previous_id == waiting.pk
        assert run("runs", "delete", str(waiting.pk))["done"] == 1
        assert not Run.objects.filter(pk=waiting.pk).exists()

    def test_are_all_those_that_match(self) -> None:
        make()
        make("other")
        mine = [jobs.run_now(job="a").pk for _ in range(3)]
        spared = jobs.run_now(job="other")

        assert run("runs", "cancel", "--job", "a", "--dry-run") == {"action": "cancel", "total": 3}
        assert Run.objects.filter(state=RunState.CANCELLED).count() == 0
        assert run("runs", "cancel", "--job", "a")["done"] == 3
        assert Run.objects.get(pk=spared.pk).state == RunState.QUEUED
        assert run("runs", "retry", "--job", "a", "--state", "cancelled", "--kind", "manual")["done"] == 3
        assert run("runs", "delete", "--job", "a")["done"] == 3
        assert set(Run.objects.filter(job="a").values_list("kind", flat=True)) == {"retry"}
        assert not Run.objects.filter(pk__in=mine).exists()

    def test_that_are_refused_are_named_with_the_reason(self) -> None:
        waiting = jobs.run_now(job=make())
        run("runs", "cancel", str(waiting.pk))
        out, err = io.StringIO(), io.StringIO()

        with pytest.raises(CommandError) as caught:
            call_command("runs", "cancel", str(waiting.pk), stdout=out, stderr=err)

        assert caught.value.returncode == printing.REFUSED
        assert f"{waiting.pk}: The run {waiting.pk} has finished already" in err.getvalue()
        assert out.getvalue().strip() == "cancel: 0 of 1 done, 1 refused."

    @pytest.mark.parametrize("words", [(), ("1", "--job", "a"), ("4711",)])
    def test_are_never_all_there_are(self, words: tuple[str, ...]) -> None:
        assert refusal("runs", "cancel", *words).returncode == printing.NOT_ASKED

    @pytest.mark.parametrize("action", ["cancel", "retry", "delete"])
    @pytest.mark.parametrize(
        "words",
        [
            ("--state", "queued"),
            ("--kind", "manual"),
            ("--reason", "backfill"),
            ("--job", "a"),
            ("--name", "a"),
            ("--task", "sample.nothing"),
            ("--executor", "default"),
            ("--tag", "x"),
            ("--error", "x"),
            ("--since", "12h"),
            ("--until", "1h"),
        ],
        ids=lambda words: words[0],
    )
    def test_are_found_by_every_option_of_the_list(self, action: str, words: tuple[str, str]) -> None:
        assert isinstance(run("runs", "list", *words), list)
        assert run("runs", action, *words, "--dry-run")["total"] == 0

    def test_stop_at_an_interrupt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        jobs.run_now(job=make())

        def interrupt(**_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(bulk, "step", interrupt)

        assert refusal("runs", "cancel", "--job", "a").returncode == printing.INTERRUPTED
        assert BulkAction.objects.get().stop_requested_at is not None


class TestTasks:
    def test_are_listed_with_their_arguments(self) -> None:
        (found,) = run("tasks", "list", "--search", "sample.square")

        assert (found["name"], found["arguments"], found["executor"]) == ("sample.square", ["number"], "default")


class TestASentence:
    def test_is_coloured_as_an_error_only_if_it_is_one(self) -> None:
        stream = io.StringIO()
        errors = OutputWrapper(stream)
        errors.style_func = lambda text: f"red({text})"
        stream.isatty = lambda: True  # type: ignore[method-assign]

        printing.note(errors, "Waiting.")

        assert stream.getvalue() == "Waiting.\n"

    def test_of_a_progress_names_the_total_and_is_not_coloured_as_an_error(self) -> None:
        every_hour = {"type": "cron", "expression": "0 * * * *", "timezone": "UTC"}
        jobs.create(id="a", task="sample.square", kwargs={"number": 3}, trigger=every_hour)
        errors = io.StringIO()
        errors.isatty = lambda: True  # type: ignore[method-assign]

        call_command(
            *("backfill", "a", "--from", "2026-11-01T00:30Z", "--to", "2026-11-01T03:30Z"),
            stdout=io.StringIO(),
            stderr=errors,
            force_color=True,
        )

        assert errors.getvalue().strip().endswith("3 of 3 fire times")
        assert "\x1b[31" not in errors.getvalue()

    def test_ends_quietly_when_its_reader_is_gone_or_ctrl_c_is_pressed(self) -> None:
        def interrupted() -> None:
            raise KeyboardInterrupt

        with pytest.raises(CommandError) as caught:
            printing.guarded(interrupted)
        assert caught.value.returncode == 130


class TestAPipe:
    def test_that_ends_early_or_knows_only_ascii_costs_no_traceback(self) -> None:
        command = f"{sys.executable} manage.py tasks list -o json | head -c 1"
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        for text in (command, f"{sys.executable} manage.py tasks list"):
            done = subprocess.run(  # noqa: S602 - the pipe of a shell is what is tried
                text,
                shell=True,
                capture_output=True,
                text=True,
                env=environment,
                timeout=500,
            )
            assert (done.returncode, done.stderr) == (0, "")
