"""The ways of docs/coming-from.md, over and back: each command as it stands there, on what the other scheduler has."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from django.core.management import CommandError, call_command
from django.db import connection

from scheduler import conf, schedule, schedules, task
from scheduler.core.states import JobState
from scheduler.core.tasks.registry import registry
from scheduler.models import Job
from scheduler.services import declarations
from scheduler.store.jobstore import PostgresJobStore
from tests.contract import tasks

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[3] / "docs/coming-from.md").read_text(encoding="utf-8")
DUMP = Path(__file__).with_name("celery_beat.sql")

MINUTES = [f"{minute} {minute % 24} * * * python manage.py clearsessions --run {minute}" for minute in range(40)]
FIFTY = [
    "CRON_TZ=America/New_York",
    "# nightly",
    *MINUTES,
    "@hourly python manage.py clearsessions --run hourly",
    "@reboot python manage.py clearsessions",
    "*/15 9-17 * * mon-fri cd /srv && ./manage.py clearsessions --run office",
    "0 0 1,15 * * python manage.py clearsessions --run half-months",
    "CRON_TZ=UTC",
    "5 4 * * sun python manage.py clearsessions --run sundays",
    "0 22 * * 1-5 python manage.py clearsessions --run evenings",
    "23 0-20/2 * * * python manage.py clearsessions --run even-hours",
]


def send_mails() -> None:
    """As ``CRONJOBS`` of django-crontab names it."""


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def commands(title: str) -> list[list[str]]:
    """The words after ``manage.py`` of each line in the section's first block."""
    block = re.findall(r"```sh\n(.*?)```", section(title), re.DOTALL)[0]
    lines = [line.partition(" > ")[0].rpartition("python manage.py ")[2] for line in block.splitlines()]
    return [line.split() for line in lines]


def run(*words: str) -> str:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(*words, stdout=out, stderr=err)
    except CommandError as error:
        code = error.returncode
    assert code in (0, 1), err.getvalue()  # 1: something is left, as the page says
    return out.getvalue()


def apply(text: str, path: Path, settings: Any) -> declarations.Synchronisation:
    path.write_text(text, encoding="utf-8")
    settings.SCHEDULER = {**settings.SCHEDULER, "DECLARATIONS": [path]}
    conf.get.cache_clear()
    return declarations.apply()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(schedules, "_registered", [])
    before = registry.names()
    yield
    for name in registry.names() - before:
        registry.remove(name)
    conf.get.cache_clear()


class TestDjangoCeleryBeat:
    TABLES = ("periodictask", "intervalschedule", "crontabschedule", "clockedschedule", "solarschedule")

    def _stock(self) -> list[Any]:
        with connection.cursor() as cursor:
            found = []
            for table in self.TABLES:
                cursor.execute(f"SELECT to_jsonb(row) FROM django_celery_beat_{table} AS row ORDER BY id")  # noqa: S608 - names from above
                found.append(cursor.fetchall())
        return found

    def test_is_taken_over_and_its_tables_stay_for_the_way_back(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(DUMP.read_text())
        before = self._stock()
        dry, real = commands("django-celery-beat")

        run(*dry)
        assert not Job.objects.exists()
        run(*real)

        assert Job.objects.filter(state=JobState.ACTIVE).count() > 5
        assert self._stock() == before


class TestBeatSchedule:
    def test_becomes_declared_jobs_and_is_not_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        schedule_ = {"every-minute": {"task": "sample.nothing", "schedule": 60.0}}
        package = tmp_path / "shop"
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "celery.py").write_text(
            f"class conf:\n    beat_schedule = {schedule_!r}\n\n\nclass app:\n    conf = conf\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "shop", raising=False)
        [words] = commands("Celery's beat_schedule")

        text = run(*words)
        assert not apply(text, tmp_path / "jobs.yaml", settings).is_refused

        assert Job.objects.get().pk == "every-minute"
        assert sys.modules["shop.celery"].app.conf.beat_schedule == schedule_


class TestCron:
    def test_a_table_of_fifty_lines_becomes_declared_jobs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        assert len(FIFTY) == 50
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(FIFTY) + "\n"))
        [words] = commands("cron")

        text = run(*words)

        jobs = yaml.safe_load(text)["jobs"]
        assert len(jobs) == 46
        assert {each["timezone"] for each in jobs.values()} == {"America/New_York", "UTC"}
        assert not apply(text, tmp_path / "jobs.yaml", settings).is_refused
        assert Job.objects.filter(state=JobState.ACTIVE).count() == 46
        assert not declarations.plan().has_changes

    def test_the_way_back_pauses_what_is_no_longer_declared(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(FIFTY) + "\n"))
        apply(run(*commands("cron")[0]), tmp_path / "jobs.yaml", settings)

        apply("jobs: {}\n", tmp_path / "jobs.yaml", settings)

        assert set(Job.objects.values_list("state", flat=True)) == {JobState.PAUSED}


class TestAPScheduler:
    def test_jobs_of_a_stock_store_come_over_and_go_back(self, tmp_path: Path) -> None:
        names: dict[str, Any] = {}
        exec(re.findall(r"```python\n(.*?)```", section("APScheduler"), re.DOTALL)[0], names)  # noqa: S102 - the page itself
        move = names["move"]
        store = SQLAlchemyJobStore(url=f"sqlite:///{tmp_path}/jobs.sqlite")
        old = BackgroundScheduler(jobstores={"default": store}, timezone=ZoneInfo("Europe/Berlin"))
        new = BackgroundScheduler(jobstores={"default": PostgresJobStore()}, timezone=ZoneInfo("Europe/Berlin"))
        for each in (old, new):
            each.start(paused=True)
        old.add_job(tasks.first, "interval", hours=1, id="hourly", name="Each hour")
        old.add_job(tasks.first, "cron", hour="7", minute="30", day_of_week="mon-fri", id="cron", misfire_grace_time=60)
        old.add_job(tasks.first, "interval", days=2, id="paused").pause()
        before = {job.id: (job.name, job.next_run_time, job.misfire_grace_time) for job in old.get_jobs()}

        move(old.get_jobs(), new)
        assert {job.pk: (job.name, job.next_run_time, job.misfire_grace_time) for job in Job.objects.all()} == before
        assert Job.objects.get(pk="paused").state == JobState.PAUSED
        old.remove_all_jobs()
        move(new.get_jobs(), old)

        assert {job.id: (job.name, job.next_run_time, job.misfire_grace_time) for job in old.get_jobs()} == before
        for each in (old, new):
            each.shutdown()
        store.engine.dispose()


class TestDjangoCrontab:
    def test_a_function_of_cronjobs_becomes_a_job_and_goes_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        expression = re.findall(r'@schedule\("([^"]+)"\)', section("django-crontab"))[0]
        schedule(expression)(task(name="shop.cron.send_mails")(send_mails))

        assert not declarations.apply().is_refused
        assert Job.objects.get(pk="shop.cron.send_mails").trigger["expression"] == expression

        monkeypatch.setattr(schedules, "_registered", [])
        declarations.apply()
        assert Job.objects.get().state == JobState.PAUSED
