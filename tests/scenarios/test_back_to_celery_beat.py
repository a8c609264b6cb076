"""The way over to the scheduler and back again, with real beat processes of Celery and of django-celery-beat."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from scheduler.core.states import JobState
from scheduler.models import Job
from tests.scenarios.site import CHECKOUT, Site, environment
from tests.waiting import wait_until

pytest.importorskip("celery")

DUMP = CHECKOUT / "tests/integration/compat/celery_beat.sql"

APP = """
from celery import Celery
from celery.schedules import crontab

app = Celery(broker="filesystem://")
app.conf.broker_transport_options = {options!r}
app.conf.beat_sync_every = 1
app.conf.beat_schedule = {{
    "every-second": {{"task": "sample.nothing", "schedule": 1.0, "options": {{"expires": 60}}}},
    "office": {{"task": "sample.square", "schedule": crontab(minute="*/20", hour="9-17", day_of_week="mon-fri"),
               "kwargs": {{"number": 3}}}},
}}
"""
SETTINGS = """
from tests.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "django_celery_beat"]
DJANGO_CELERY_BEAT_TZ_AWARE = True
"""


class Beat:
    """A folder with a Celery app, and ``celery beat`` as a process whose messages become files."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._folder = site.directory / "celery"
        self._queue = self._folder / "queue"
        self._queue.mkdir(parents=True)
        (self._folder / "control").mkdir()
        options = {f"data_folder_{way}": str(self._queue) for way in ("in", "out")}
        options["control_folder"] = str(self._folder / "control")
        (self._folder / "shop_celery.py").write_text(APP.format(options=options), encoding="utf-8")
        (self._folder / "shop_settings.py").write_text(SETTINGS, encoding="utf-8")

    @property
    def path(self) -> Path:
        return self._folder

    def sent(self) -> set[str]:
        """Return the tasks that messages were sent for."""
        texts = [file.read_text() for file in self._queue.iterdir()]
        found = [json.loads(text) for text in texts if text.endswith("}")]  # one that is being written has no end yet
        return {each["headers"]["task"] for each in found if base64.b64decode(each["body"])}

    def send(self, *arguments: str, until: Callable[[], bool], **variables: str) -> None:
        """Run beat until something is so."""
        with (self._folder / "beat.log").open("w") as log:
            beat = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "shop_celery", "beat", "--max-interval", "1", *arguments],
                cwd=self._folder,
                env=environment(self._site.url, PYTHONPATH=f"{self._folder}:{CHECKOUT}", **variables),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_until(lambda: beat.poll() is not None or until())
                assert beat.poll() is None, (self._folder / "beat.log").read_text()
            finally:
                beat.terminate()
                beat.wait(120)


def test_a_beat_schedule_comes_over_and_beat_goes_on_with_it(
    site: Site, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(site)
    monkeypatch.syspath_prepend(beat.path)
    file = site.directory / "jobs.yaml"
    with file.open("w") as out:
        call_command("jobs", "import-beat", "shop_celery:app", "--timezone", "Europe/Berlin", stdout=out)
    node = site.start_node("--apply", **_declaring(site, file))
    site.run("every-second", state="succeeded")
    office = Job.objects.get(pk="office")
    node.stop()

    assert (office.kwargs, office.trigger["timezone"]) == ({"number": 3}, "Europe/Berlin")
    assert Job.objects.get(pk="every-second").misfire_grace_time == 60
    assert office.next_run_time is not None
    assert office.next_run_time.minute in (0, 20, 40)
    beat.send("--schedule", str(beat.path / "schedule"), until=lambda: "sample.nothing" in beat.sent())


def _declaring(site: Site, file: Path) -> dict[str, str]:
    text = f"from tests.settings import *\nSCHEDULER = {{**SCHEDULER, 'DECLARATIONS': [{str(file)!r}]}}\n"
    (site.directory / "declaring.py").write_text(text, encoding="utf-8")
    return {"DJANGO_SETTINGS_MODULE": "declaring", "PYTHONPATH": str(site.directory)}


def test_the_tables_of_django_celery_beat_come_over_and_it_goes_on_with_them(site: Site) -> None:
    pytest.importorskip("django_celery_beat")
    beat = Beat(site)
    with connection.cursor() as cursor:
        cursor.execute(DUMP.read_text())
    told = io.StringIO()
    with pytest.raises(CommandError):  # not everything has a counterpart
        call_command("adopt_beat", stdout=told)
    assert "! sunset: " in told.getvalue()
    node = site.start_node()
    assert Job.objects.get(pk="every ten seconds").state == JobState.ACTIVE
    site.run("every ten seconds", state="succeeded")
    node.stop()
    ended = time.time()
    with connection.cursor() as cursor:
        # What is due first depends on the day, and beat is ended by the first message. For the sun it needs a package.
        cursor.execute("UPDATE django_celery_beat_periodictask SET enabled = (name = 'every ten seconds')")

    scheduler = ("-S", "django_celery_beat.schedulers:DatabaseScheduler")
    beat.send(*scheduler, until=lambda: _last_run_at() > ended - 10, DJANGO_SETTINGS_MODULE="shop_settings")
    assert "sample.nothing" in beat.sent()


def _last_run_at() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_run_at FROM django_celery_beat_periodictask WHERE name = 'every ten seconds'")
        [(last_run_at,)] = cursor.fetchall()
    return float(last_run_at.timestamp())
