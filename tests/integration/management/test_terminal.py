"""
What came from outside cannot control a terminal: errors quote scraped pages, and names come from other systems.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command, find_commands, load_command_class
from django.utils import timezone

from scheduler.core.states import NoteKind
from scheduler.management import printing
from scheduler.management.terminal import SafeCommand
from scheduler.models import Change, Queue, Run, RunNote
from tests.ledger import add_job, add_node, add_run

ESCAPE = "\x1b[31mred\x1b]0;title\x07\x9b2J\x7f"
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
OWN_APPS = ("scheduler", "openlearn")
NOT_OURS = {"makemessages"}
"""A tool for developers, of which only an option differs from Django's."""


def commands() -> Iterator[tuple[str, str]]:
    for app in OWN_APPS:
        config = apps.get_app_config(app)
        yield from ((config.name, name) for name in find_commands(f"{config.path}/management") if name not in NOT_OURS)


class TestEveryCommand:
    @pytest.mark.parametrize(("app", "name"), list(commands()), ids=lambda value: value)
    def test_shows_control_characters_as_pictures(
        self, app: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
    ) -> None:
        command: Any = load_command_class(app, name)

        def handle(*_args: Any, **_options: Any) -> str:
            command.stdout.write(ESCAPE)
            command.stderr.write(ESCAPE)
            raise CommandError(ESCAPE)

        monkeypatch.setattr(command, "handle", handle)
        monkeypatch.setattr(command, "requires_system_checks", ())
        monkeypatch.setattr(type(command), "add_arguments", lambda *_: None)
        with pytest.raises(SystemExit):
            command.run_from_argv(["manage.py", name])
        printed = capsys.readouterr()

        assert isinstance(command, SafeCommand)
        assert "␛[31mred" in printed.out
        assert printed.err.count("␛[31mred") == 2
        assert not CONTROLS.search(printed.out + printed.err)

    def test_is_safe_on_streams_that_its_caller_gives(self) -> None:
        out = io.StringIO()

        class Echo(SafeCommand):
            def handle(self, **_options: Any) -> None:
                self.stdout.write(ESCAPE, lambda text: f"<{text}>")

        call_command(Echo(), stdout=out, skip_checks=True)
        call_command(Echo(), stdout=SafeCommand(stdout=out).stdout, skip_checks=True)

        assert out.getvalue().count("<␛[31mred") == 2
        assert not CONTROLS.search(out.getvalue())

    def test_may_move_its_own_progress(self) -> None:
        out = io.StringIO()

        SafeCommand(stdout=out).stdout.overwrite(f"10 of 20 {ESCAPE}")

        assert out.getvalue().startswith("\r\x1b[K10 of 20 ␛[31mred")
        assert not CONTROLS.search(out.getvalue().removeprefix("\r\x1b[K"))


class TestJson:
    def test_is_what_was_stored_and_has_no_control_characters(self) -> None:
        text = printing.as_json({"error": ESCAPE, "name": "größer"})

        assert json.loads(text) == {"error": ESCAPE, "name": "größer"}
        assert not CONTROLS.search(text)
        assert "größer" in text


LISTS = (
    ("runs", "list"), ("runs", "log", "{run}"), ("runs", "notes", "{run}"), ("jobs", "list"), ("jobs", "show", "j"),
    ("jobs", "history", "j"), ("jobs", "export"), ("jobs", "plan"), ("tasks", "list"), ("templates", "list"),
    ("calendars", "list"), ("scheduler_status",), ("adopt_jobs", "--dry-run"), ("cleanup_jobs", "--dry-run"),
)  # fmt: skip


@pytest.mark.django_db
class TestEverythingThatIsListed:
    @pytest.fixture
    def hostile(self) -> Run:
        now = timezone.now()
        job = add_job("j", name=f"n {ESCAPE}", description=ESCAPE, tags=[ESCAPE])
        run = add_run(
            job, state="failed", error=ESCAPE, log=ESCAPE, traceback=ESCAPE, result=ESCAPE, kwargs={"a": ESCAPE}
        )
        RunNote.objects.create(
            run=run, job_key="j", kind=NoteKind.NOTE, text=ESCAPE, author=ESCAPE, via="code", created_at=now
        )
        add_node(beat_at=now, name=ESCAPE, host=ESCAPE, version=ESCAPE, executors={ESCAPE: 1})
        Queue.objects.create(name=ESCAPE, paused_at=now, pause_reason=ESCAPE)
        Change.objects.create(
            job_key="j", job_name=ESCAPE, version=9, action="edited", actor=ESCAPE, via="code", reason=ESCAPE,
            changes={"name": ["a", ESCAPE]}, definition={}, changed_at=now,
        )  # fmt: skip
        return run

    @pytest.mark.parametrize("words", LISTS, ids=" ".join)
    @pytest.mark.parametrize("form", ["table", "json"])
    def test_is_clean(self, hostile: Run, words: tuple[str, ...], form: str) -> None:
        out, err = io.StringIO(), io.StringIO()
        given = [word.format(run=hostile.pk) for word in words]
        try:
            call_command(*given, *(["--json"] if form == "json" else []), stdout=out, stderr=err)
        except CommandError as error:
            if "unrecognized arguments: --json" in str(error):
                pytest.skip("it has no JSON")
        printed = out.getvalue() + err.getvalue()

        assert not CONTROLS.search(printed)
