"""Crontabs and beat schedules become files of declared jobs, which ``jobs apply`` takes."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from scheduler import conf, schedules
from scheduler.models import Job
from scheduler.services import declarations

pytestmark = pytest.mark.django_db

CRONTAB = r"""
# m h dom mon dow command
MAILTO=ops@example.org
CRON_TZ=Europe/Berlin
30 3 * * * /srv/venv/bin/python /srv/app/manage.py clearsessions >> /var/log/x.log 2>&1
@daily cd /srv/app && python3 manage.py send_report --team "data science" --days=7
0 9 * * mon-fri DJANGO_SETTINGS_MODULE=x python manage.py send_report --team sales
CRON_TZ=UTC
*/5 * * * * ./manage.py clearsessions
5 * * * * python manage.py clearsessions
@reboot python manage.py warm_up
0 1 * * * /usr/local/bin/backup.sh
0 2 * * * python manage.py dumpdata | gzip > /backup/x.gz
0 2 * * * python manage.py clearsessions && echo done
0 2 * * * python manage.py stamp $(date +\%F)
61 * * * * python manage.py clearsessions
0 2 * * * python manage.py print %input
"""


def run(*arguments: str) -> tuple[dict[str, Any], str, int]:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("jobs", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
    return (yaml.safe_load(out.getvalue()) or {}).get("jobs", {}), err.getvalue(), code


class Crontab:
    """What ``celery.schedules.crontab`` looks like once it has read its fields."""

    def __init__(self, minute: set[int], hour: set[int], day_of_week: set[int]) -> None:
        self.minute, self.hour, self.day_of_week = minute, hour, day_of_week
        self.day_of_month, self.month_of_year = set(range(1, 32)), set(range(1, 13))


Crontab.__name__ = "crontab"


class Solar:
    event = "sunset"


Solar.__name__ = "solar"

BEAT = {
    "every-half-hour": {"task": "sample.nothing", "schedule": 1800.0},
    "every-day": {"task": "sample.square", "schedule": timedelta(days=1), "kwargs": {"number": 2}},
    "mondays": {
        "task": "sample.square",
        "schedule": Crontab({0}, {7}, {1}),
        "args": (3,),
        "options": {"queue": "a", "priority": 3},
    },
    "expiring": {"task": "sample.nothing", "schedule": 60, "options": {"expires": 30}},
    "sunset": {"task": "sample.nothing", "schedule": Solar()},
    "unknown": {"task": "nowhere.task", "schedule": 60},
    "not JSON": {"task": "sample.square", "schedule": 60, "kwargs": {"number": object()}},
}


class TestCrontab:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "crontab"
        path.write_text(CRONTAB)
        return path

    def test_lines_with_management_commands_become_jobs(self, file: Path) -> None:
        jobs, _, code = run("import-crontab", str(file), "--timezone", "Asia/Tokyo")

        assert code == 1
        assert list(jobs) == [
            "clearsessions",
            "send_report-team-data-science-days-7",
            "send_report-team-sales",
            "clearsessions-2",
            "clearsessions-3",
        ]
        assert jobs["clearsessions"] == {
            "task": "scheduler.call_command",
            "trigger": "30 3 * * *",
            "timezone": "Europe/Berlin",
            "kwargs": {"name": "clearsessions"},
        }
        assert jobs["send_report-team-data-science-days-7"]["kwargs"] == {
            "name": "send_report",
            "args": ["--team", "data science", "--days=7"],
        }
        assert jobs["clearsessions-2"]["timezone"] == "UTC"

    def test_everything_else_is_told_by_line(self, file: Path) -> None:
        _, told, _ = run("import-crontab", str(file))

        for number, text in (
            (3, "MAILTO is left out"),
            (11, "@reboot"),
            (12, "/usr/local/bin/backup.sh"),
            (13, "shell command"),
            (14, "shell command"),
            (15, "shell command"),
            (16, "61"),
            (17, "shell command"),
        ):
            assert any(line.startswith(f"line {number}: ") and text in line for line in told.splitlines())
        assert "SCHEDULER['ALLOWED_COMMANDS'] must name: clearsessions, send_report." in told

    def test_the_file_can_be_applied(
        self, file: Path, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schedules, "_registered", [])
        jobs, _, _ = run("import-crontab", str(file))
        written = tmp_path / "jobs.yaml"
        written.write_text(yaml.safe_dump({"jobs": jobs}))
        settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [written]}
        conf.get.cache_clear()

        assert not declarations.apply().is_refused
        assert Job.objects.count() == 5

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("@daily\tpython manage.py clearsessions", ["clearsessions"]),
            ("0 1 * * * cd /srv/app && . venv/bin/activate && python manage.py clearsessions", ["clearsessions"]),
            ("0 1 * * * source /srv/venv/bin/activate; /srv/manage.py clearsessions", ["clearsessions"]),
            ("0 1 * * * python manage.py clearsessions >/dev/null 2>&1", ["clearsessions"]),
            ("0 1 * * * python manage.py clearsessions 2>> '/var/log/of the shop'", ["clearsessions"]),
            ("0 1 * * * python manage.py say 'all is done'", ["say", "all is done"]),
        ],
    )
    def test_the_command_is_what_the_line_would_run(self, tmp_path: Path, line: str, words: list[str]) -> None:
        path = tmp_path / "crontab"
        path.write_text(f"{line}\n")

        jobs, _, code = run("import-crontab", str(path))

        assert code == 0
        (definition,) = jobs.values()
        name, *args = words
        assert definition["kwargs"] == {"name": name, **({"args": args} if args else {})}

    @pytest.mark.parametrize(
        "command",
        [
            "manage.py say 'a > b'",
            'manage.py say "a >b c"',
            "manage.py say >out --loud",
            "manage.py --settings=shop.settings clearsessions",
            "manage.py",
        ],
    )
    def test_a_command_that_would_become_another_one_is_refused(self, tmp_path: Path, command: str) -> None:
        path = tmp_path / "crontab"
        path.write_text(f"0 1 * * * python {command}\n")

        assert run("import-crontab", str(path))[::2] == ({}, 1)

    def test_a_file_that_is_not_there_is_refused(self) -> None:
        assert run("import-crontab", "/nowhere")[2] == 2


class TestBeatSchedule:
    def test_becomes_jobs(self) -> None:
        jobs, told, code = run("import-beat", f"{__name__}:BEAT", "--timezone", "Europe/Berlin")

        assert (code, list(jobs)) == (1, ["every-half-hour", "every-day", "mondays", "expiring"])
        assert jobs["every-half-hour"]["trigger"] == {"type": "interval", "seconds": 1800}
        assert jobs["every-day"]["kwargs"] == {"number": 2}
        assert jobs["mondays"]["trigger"]["fields"]["day_of_week"] == "mon"
        assert jobs["mondays"]["trigger"]["timezone"] == "Europe/Berlin"
        assert jobs["mondays"]["queue"] == "a"
        assert jobs["expiring"]["misfire_grace_time"] == 30
        assert "mondays: left out: priority" in told
        assert "sunset: Its schedule is a solar" in told
        assert "unknown: " in told
        assert "not JSON: Its kwargs cannot be written as JSON: " in told

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("nowhere:BEAT", "cannot be found: No module named 'nowhere'"),
            (f"{__name__}:NOTHING", "has no attribute 'NOTHING'"),
            (__name__, "is not module:attribute"),
            (f"{__name__}:", "is not module:attribute"),
            (f"{__name__}:Solar", "It must be a dict or a Celery app"),
            ("broken_beat:BEAT", "“broken_beat” cannot be imported: ZeroDivisionError: "),
        ],
    )
    def test_a_name_that_leads_nowhere_is_refused(
        self, path: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "broken_beat.py").write_text("BEAT = 1 / 0\n")
        monkeypatch.syspath_prepend(str(tmp_path))

        with pytest.raises(CommandError, match=re.escape(text)) as refused:
            call_command("jobs", "import-beat", path)

        assert refused.value.returncode == 1
