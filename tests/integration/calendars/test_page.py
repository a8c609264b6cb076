"""The examples of docs/calendars.md, as they stand there, in their order."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest
from django.core.management import call_command

from scheduler.models import Calendar, Job
from scheduler.services import calendars

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[3] / "docs/calendars.md").read_text(encoding="utf-8")
ICS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20270817\nSUMMARY:Company day\nEND:VEVENT\nEND:VCALENDAR\n"


def run(line: str) -> str:
    out = io.StringIO()
    words = shlex.split(line)
    assert words[:2] == ["python", "manage.py"]
    call_command(*words[2:], stdout=out, stderr=out)
    return out.getvalue()


def test_each_block_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "company.ics").write_text(ICS)
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
    assert [language for language, _ in blocks] == ["text", "sh", "python", "sh", "python"]
    said = {}
    for language, block in blocks:
        if language == "python":
            exec(compile(block, "docs/calendars.md", "exec"), {"__name__": "page"})  # noqa: S102
        elif language == "sh":
            said |= {line: run(line) for line in block.splitlines()}
        else:
            made = calendars.create(name="page", rules=block)
            assert len(made.rules) == len(block.splitlines())

    assert Calendar.objects.get(name="company").rules == ["2027-08-17 Company day"]
    assert Calendar.objects.get(name="database-backup").tags == ["database"]
    trigger = Job.objects.get(pk="payroll").trigger
    assert (trigger["not_on"], trigger["otherwise"]) == (["germany", "weekend"], "next_day")
    entries = said["python manage.py calendars entries germany -n 3"]
    assert len(entries.splitlines()) == 4
    assert "germany" in said["python manage.py calendars list"]


class TestDocuments:
    def test_bring_calendars_with_their_jobs(self) -> None:
        from scheduler.services import jobs
        from scheduler.services.jobs import transfer

        calendars.create(name="weekend", rules=["sat-sun"], title="Weekend")
        calendars.create(name="other", rules=["12-24"])
        trigger = {"type": "cron", "expression": "0 9 * * *", "timezone": "UTC", "not_on": ["weekend"]}
        jobs.create(id="job", task="scheduler.cleanup_jobs", trigger=trigger)
        document = transfer.export()
        assert [each["name"] for each in document["calendars"]] == ["weekend"]
        assert document["jobs"][0]["trigger"] == {**trigger, "otherwise": "skip"}
        Job.objects.all().delete()
        Calendar.objects.all().delete()

        tried = transfer.import_jobs(document=document, actor="anna", dry_run=True)
        assert [each.what for each in tried] == ["created"]
        assert not Calendar.objects.exists()
        done = transfer.import_jobs(document=document, actor="anna")

        assert [each.what for each in done] == ["created"]
        assert transfer.export() == document
        again = transfer.import_jobs(document=document, actor="anna", update=True)
        assert [each.what for each in again] == ["unchanged"]

    def test_of_calendars_round_trip(self, tmp_path: Path) -> None:
        calendars.create(name="night", rules=["daily 01:00-02:00"], tags=["db"], during="once_afterwards")
        text = run("python manage.py calendars export")
        Calendar.objects.all().delete()
        (tmp_path / "calendars.json").write_text(text)

        assert "1 created" in run(f"python manage.py calendars import {tmp_path / 'calendars.json'}")
        assert "1 unchanged" in run(f"python manage.py calendars import {tmp_path / 'calendars.json'}")
        assert run("python manage.py calendars export") == text
