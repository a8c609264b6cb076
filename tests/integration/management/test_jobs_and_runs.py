from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from knox.models import AuthToken

from scheduler.management import printing
from scheduler.models import Change, Job, Run
from scheduler.services import jobs
from scheduler.services.queries import health

EVERY_HOUR = {"type": "interval", "hours": 1}

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[int, str, str]:
    """Return the exit code, what went to stdout and what went to stderr."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*words, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    return 0, out.getvalue(), err.getvalue()


def add(id: str = "j", **changes: Any) -> Job:
    return jobs.create(**{"id": id, "task": "sample.square", "kwargs": {"number": 2}, "trigger": EVERY_HOUR, **changes})


def entry(**changes: Any) -> str:
    """Return an export of one job."""
    job = {"id": "imported", "task": "sample.square", "kwargs": {"number": 2}, "trigger": EVERY_HOUR, **changes}
    return json.dumps({"format": "openlearn-scheduler-jobs", "version": 1, "jobs": [job]})


def end(run: Run, state: str, **columns: Any) -> None:
    Run.objects.filter(pk=run.pk).update(state=state, started_at=timezone.now(), finished_at=timezone.now(), **columns)


class TestJobs:
    def test_lists_as_table_and_as_the_json_of_the_api(self) -> None:
        add("a", name="Alpha")
        add("b", paused=True)

        code, table, _ = run("jobs", "list")
        assert (code, [line.split()[0] for line in table.splitlines()]) == (0, ["ID", "a", "b"])
        _, text, _ = run("jobs", "list", "--state", "paused", "-o", "json")
        assert [job["id"] for job in json.loads(text)] == ["b"]
        assert "kwargs" in json.loads(text)[0]

    def test_shows_one_and_says_when_it_fires(self) -> None:
        add()

        assert "every hour" in run("jobs", "show", "j")[1]
        code, text, talk = run("jobs", "next", "j", "-n", "3", "-o", "json")
        assert (code, len(json.loads(text)), talk) == (0, 3, "every hour\n")
        assert run("jobs", "next", "--cron", "0 8 * * mon", "--tz", "Europe/Berlin", "-n", "2")[1].count("\n") == 2

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("jobs", "show", "none"), 2),
            (("jobs", "next"), 2),
            (("jobs", "next", "--cron", "61 * * * *"), 1),
            (("jobs", "run", "j", "--kwargs", "{"), 2),
            (("jobs", "run", "j", "--kwargs", '{"number": "x"}'), 1),
            (("jobs", "pause", "j", "none"), 1),
            (("jobs", "pause", "j", "--until", "2001-01-01T00:00:00Z"), 1),
            (("jobs", "pause", "j", "--until", "2999-01-01T00:00:00"), 2),
            (("jobs", "import", "/nowhere.json"), 2),
            (("runs", "log", "1"), 2),
            (("jobs", "export", "none"), 2),
            (("jobs", "pause", "j", "--until", "9999-12-31T23:59:59-14:00"), 1),
            (("backfill", "none", "--from", "7d"), 2),
            (("backfill", "j", "--from", "2026-01-02", "--to", "2026-01-01"), 1),
            (("create_api_token", "nobody"), 2),
        ],
    )
    def test_ends_with_a_sentence_and_an_exit_code(self, words: tuple[str, ...], code: int) -> None:
        add()

        found, _, talk = run(*words)

        assert (found, bool(talk)) == (code, True)

    @pytest.mark.parametrize(
        ("words", "sentence"),
        [
            (("jobs", "list", "--limit", "-1"), "“-1” is not a whole number from 1 to 100,000."),
            (("jobs", "next", "j", "-n", "0"), "“0” is not a whole number from 1 to 1,000."),
            (("jobs", "run", "j", "--timeout", "nan"), "“nan” is not a number of seconds from 0 to 1,000,000."),
            (("runs", "list", "--since", "999999d"), "“999999d” is not a time. Write it as 12h, 7d or"),
            (("runs", "log", "abc"), "“abc” is not a whole number from 1 to"),
            (("backfill", "j", "--from", "7d", "--limit", "-1"), "“-1” is not a whole number from 1 to 1,000,000."),
            (("create_api_token", "x", "--days", "0"), "“0” is not a whole number from 1 to 3,650."),
            (("quickstart", "--port", "99999"), "“99999” is not a whole number from 1 to 65,535."),
            (("quickstart", "--until-runs", "-3"), "“-3” is not a whole number from 1 to"),
            (("runscheduler", "--threads", "0"), "“0” is not a whole number from 1 to 10,000."),
            (("runscheduler", "--metrics-port", "99999"), "“99999” is not a port, or a host and a port"),
        ],
    )
    def test_names_an_option_that_cannot_be_used(self, words: tuple[str, ...], sentence: str) -> None:
        _, _, talk = run(*words)

        assert sentence in talk

    def test_shows_a_reason_in_full(self) -> None:
        add()

        _, table, _ = run("jobs", "pause", "j", "--until", "2001-01-01T00:00:00Z")

        assert re.search(r"until is “2001-01-01T00:00:00\+00:00”, which is over \(now .*\)\.$", table.strip())

    def test_says_times_on_the_clocks_of_the_job(self) -> None:
        expression = ("jobs", "next", "--cron", "0 8 1 jan *", "--tz", "Europe/Berlin", "-n", "1")

        assert run(*expression)[1].strip().endswith("-01-01T08:00:00+01:00")
        assert json.loads(run(*expression, "-o", "json")[1])[0].endswith("-01-01T07:00:00Z")

    @pytest.mark.parametrize(
        "words",
        [
            ("jobs", "list"),
            ("runs", "list"),
            ("tasks", "list"),
            ("templates", "list"),
            ("calendars", "list"),
            ("alerts", "list"),
        ],
    )
    def test_takes_the_options_of_django_after_the_word(self, words: tuple[str, str]) -> None:
        options = ("--settings", "tests.settings", "--traceback", "--no-color", "-v", "0")

        assert run(*words, *options)[0] == run(words[0], *options, words[1])[0] == 0

    def test_computes_an_expression_without_a_database(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            assert run("jobs", "next", "--cron", "@daily", "-n", "1")[0] == 0

    def test_pauses_and_resumes(self) -> None:
        add()

        assert run("jobs", "pause", "j", "--reason", "Deploy.")[0] == 0
        assert Job.objects.get().state_reason == "Deploy."
        assert run("jobs", "pause", "j", "--until", "2999-01-01T09:00:00+01:00")[0] == 0
        assert Job.objects.get().paused_until == datetime(2999, 1, 1, 8, tzinfo=UTC)
        assert run("jobs", "resume", "j")[0] == 0
        assert Job.objects.get().state == "active"

    def test_shows_the_history_also_of_a_deleted_job(self) -> None:
        job = add()
        run("jobs", "pause", "j", "--reason", "Deploy.")
        run("jobs", "resume", "j", "--reason", "Done.")
        jobs.remove(job=jobs.get(id=job.pk), actor="anna")

        code, text, _ = run("jobs", "changes", "j", "-o", "json")

        shown = [(item["action"], item["via"], item["reason"]) for item in json.loads(text)]
        assert code == 0
        assert shown == [
            ("deleted", "code", ""),
            ("resumed", "command", "Done."),
            ("paused", "command", "Deploy."),
            ("created", "code", ""),
        ]
        assert "state: active → paused" in run("jobs", "changes", "j")[1]
        assert run("jobs", "changes", "none")[0] == 2

    def test_waits_for_a_run_and_fails_with_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from scheduler.services import runs

        add()
        real = runs.get

        def ends(*, id: int) -> Run:
            end(real(id=id), "failed", error="No luck.")
            return real(id=id)

        monkeypatch.setattr(runs, "get", ends)
        code, out, talk = run("jobs", "run", "j", "--wait", "-o", "json")

        assert (code, json.loads(out)["state"]) == (1, "failed")
        assert "No luck." in talk

    def test_exports_one_job_a_line(self) -> None:
        add("a", task="governed.have_nothing_to_do", kwargs={"text": "A\n\u2028\x9b1m text"})
        add("b")

        lines = run("jobs", "export")[1].split("\n")

        entries = [json.loads(line.strip().removesuffix(",")) for line in lines if line.startswith("    {")]
        assert [entry["id"] for entry in entries] == ["a", "b"]
        assert json.loads("\n".join(lines))["jobs"] == entries

    def test_exports_what_it_imports_again(self, tmp_path: Path) -> None:
        add("a", name="Alpha", max_retries=3)
        add("b", task="governed.use_secret", kwargs={"token": "s3cr3t-value"}, paused=True)
        text = run("jobs", "export")[1]
        assert "s3cr3t" not in text
        file = tmp_path / "jobs.json"
        file.write_text(text)

        assert "unchanged" in run("jobs", "import", str(file), "--update")[1]
        sealed = Job.objects.get(pk="b").kwargs
        jobs.remove(job=jobs.get(id="a"))
        code, out, _ = run("jobs", "import", str(file), "-o", "json")
        assert (code, [(item["id"], item["what"]) for item in json.loads(out)]) == (
            0,
            [("a", "created"), ("b", "skipped")],
        )
        assert run("jobs", "export")[1] == text
        assert Job.objects.get(pk="b").kwargs == sealed
        jobs.remove(job=jobs.get(id="b"))
        code, out, _ = run("jobs", "import", str(file), "-o", "json")
        assert (code, json.loads(out)[1]["what"]) == (1, "refused")
        assert "send the secret" in json.loads(out)[1]["detail"]

    @pytest.mark.parametrize(
        "document",
        [
            "[]",
            "{}",
            '{"format": "openlearn-scheduler-jobs", "version": 2}',
            "x",
            '{"format": "openlearn-scheduler-jobs", "version": 1, "jobs": [{"id": 1}]}',
            entry(trigger="x"),
            entry(task=5),
            entry(kwargs=[1]),
            entry(paused="no"),
            entry(id="a\0b"),
            "[" * 100_000,
        ],
    )
    def test_refuses_to_import_what_is_no_export(self, tmp_path: Path, document: str) -> None:
        (tmp_path / "x.json").write_text(document)

        assert run("jobs", "import", str(tmp_path / "x.json"))[0] in (1, 2)
        assert not Job.objects.exists()

    def test_reads_a_file_with_a_byte_order_mark(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_text("\ufeff" + entry(), encoding="utf-8")

        assert run("jobs", "import", str(tmp_path / "x.json"))[0] == 0

    def test_refuses_an_id_that_is_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_text(entry(id="\ud800"))  # JSON writes half of a pair as an escape

        code, _, talk = run("jobs", "import", str(tmp_path / "x.json"), "-o", "json")

        assert code == 1
        assert "Not every job could be imported" in talk

    @pytest.mark.parametrize("command", [("jobs", "import"), ("alerts", "import"), ("jobs", "import-crontab")])
    @pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, None])
    def test_says_that_a_file_cannot_be_read(
        self, command: tuple[str, str], content: bytes | None, tmp_path: Path
    ) -> None:
        if content is not None:
            (tmp_path / "x").write_bytes(content)

        code, _, talk = run(*command, str(tmp_path / "x"))

        assert code == 2 or (command[1] == "import-crontab" and content == b"[" * 100_000)
        assert "Traceback" not in talk

    def test_rehearses_an_import_and_takes_it_back(self, tmp_path: Path) -> None:
        file = tmp_path / "jobs.json"
        file.write_text(entry(task="nobody.knows"))
        assert run("jobs", "import", str(file), "--dry-run")[0] == 1
        file.write_text(entry())

        code, table, _ = run("jobs", "import", str(file), "--dry-run")

        assert (code, "created" in table, Job.objects.exists(), Change.objects.exists()) == (0, True, False, False)


class TestALongList:
    @pytest.mark.parametrize(
        ("words", "note"),
        [
            (("jobs", "list", "--limit", "1"), "More than 1 job; narrow the filter or raise --limit."),
            (("jobs", "list", "--limit", "2"), "More than 2 jobs; narrow the filter or raise --limit."),
            (("jobs", "list", "--limit", "3"), ""),
            (("runs", "list", "--limit", "1"), "More than 1 run; narrow the filter or raise --limit."),
            (("runs", "list", "--limit", "2"), "More than 2 runs; narrow the filter or raise --limit."),
        ],
    )
    def test_says_that_there_is_more(self, words: tuple[str, ...], note: str) -> None:
        for id in "abc":
            jobs.run_now(job=add(id))

        assert run(*words)[2].strip() == note


class TestADatabaseThatCannotBeAsked:
    @pytest.mark.parametrize(
        "words",
        [
            ("jobs", "list"),
            ("runs", "list"),
            ("backfill", "j", "--from", "7d"),
            ("adopt_jobs",),
            ("create_api_token", "anna"),
        ],
    )
    def test_ends_every_command_with_a_sentence(self, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: BaseDatabaseWrapper) -> None:
            raise OperationalError("No room.")

        monkeypatch.setattr(BaseDatabaseWrapper, "cursor", refuse)

        assert run(*words) == (2, "", "No room.")

    def test_is_told_to_be_updated_where_tables_are_of_another_release(self) -> None:
        newest = MigrationRecorder.Migration.objects.filter(app="scheduler").order_by("-name")[:1]
        MigrationRecorder.Migration.objects.filter(pk__in=newest.values("pk")).delete()

        def ask() -> None:
            raise ProgrammingError('relation "scheduler_change" does not exist')

        with pytest.raises(CommandError, match=r"Run “manage\.py init_scheduler_db” to apply them") as caught:
            printing.guarded(ask)
        assert caught.value.returncode == 2


class TestRuns:
    def test_lists_what_failed_last_night(self) -> None:
        job = add()
        end(jobs.run_now(job=job), "succeeded")
        failed = jobs.run_now(job=job)
        end(failed, "failed", error="No.")

        code, out, _ = run("runs", "list", "--failed", "--since", "12h", "-o", "json")

        assert (code, [item["id"] for item in json.loads(out)]) == (0, [failed.pk])

    def test_shows_a_log_and_fails_with_the_run_it_follows(self) -> None:
        failed = jobs.run_now(job=add())
        end(failed, "failed", error="No.", log="one\ntwo\n", traceback="Traceback: No.\n")

        assert run("runs", "log", str(failed.pk)) == (0, "one\ntwo\nTraceback: No.\n", "")
        assert run("runs", "log", str(failed.pk), "-f")[0] == 1

    def test_says_that_a_run_has_logged_nothing(self) -> None:
        silent = jobs.run_now(job=add())

        assert run("runs", "log", str(silent.pk)) == (0, "", f"The run {silent.pk} has logged nothing.\n")


class TestNotes:
    def test_are_written_and_shown(self) -> None:
        made = jobs.run_now(job=add())
        end(made, "failed", error="ValueError: no")
        id = str(made.pk)

        assert run("runs", "notes", id)[2] == f"The run {id} has no notes.\n"
        assert run("runs", "note", id, "The disk was full.")[:2] == (0, f"The run {id} has a note more.\n")
        assert run("runs", "take", id)[:2] == (0, f"You are on the run {id}.\n")
        assert run("runs", "take", id)[0] == printing.REFUSED
        assert run("runs", "release", id, "It runs again.")[0] == 0

        written = json.loads(run("runs", "notes", id, "-o", "json")[1])
        assert [(note["kind"], note["text"], note["via"], note["author"]) for note in written] == [
            ("released", "It runs again.", "command", printing.actor()),
            ("taken", "", "command", printing.actor()),
            ("note", "The disk was full.", "command", printing.actor()),
        ]
        assert "The disk was full." in run("runs", "notes", id)[1]

    def test_are_refused_with_a_sentence(self) -> None:
        made = jobs.run_now(job=add())

        assert run("runs", "note", str(made.pk), " ")[::2] == (printing.REFUSED, "The note has no text.")
        assert run("runs", "release", str(made.pk))[0] == printing.REFUSED
        assert run("runs", "note", "7", "x")[0] == printing.NOT_ASKED


class TestSchedulerStatus:
    def test_says_by_its_exit_code_that_nothing_runs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health, "check", health.check_now)

        code, out, talk = run("scheduler_status", "--json")

        assert (code, json.loads(out)["scheduler"]["status"]) == (1, "stopped")
        assert "No scheduler is running" in talk
        assert "nodes" in run("scheduler_status")[1]


class TestCreateApiToken:
    def test_prints_a_token_of_which_only_the_hash_is_kept(self, django_user_model: Any) -> None:
        django_user_model.objects.create_user("anna")

        code, text, _ = run("create_api_token", "anna", "--days", "3")

        assert code == 0
        assert text.startswith("ols_")
        assert text.strip() not in str(AuthToken.objects.values())
