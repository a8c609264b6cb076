"""Whoever writes with another search path, as ``pg_restore`` and careful roles do, meets the same triggers."""

from __future__ import annotations

import pytest
from django.db import connection

from scheduler.models import Change, Incident, Job, OwedWindow, RemovedJob, Run
from scheduler.services import jobs
from scheduler.services.alerts import rules
from scheduler.store.clock import database_now
from tests.ledger import add_run

pytestmark = pytest.mark.django_db

EVERY_HOUR = {"type": "interval", "hours": 1}

PATHS = ("''", "pg_catalog", "elsewhere", "elsewhere, public")

OWED = "UPDATE public.django_apscheduler_djangojob SET next_run_time = now() + interval '2 hours' WHERE id = 'j'"
WRITES = (
    "UPDATE public.django_apscheduler_djangojob SET next_run_time = now() - interval '3 hours' WHERE id = 'j'",
    OWED,
    "UPDATE public.scheduler_job SET consecutive_failures = 5 WHERE djangojob_ptr_id = 'j'",
    'UPDATE public.scheduler_job SET name = \'Renamed\', trigger = \'{"type": "interval", "minutes": 5}\'',
    "DELETE FROM public.scheduler_job WHERE djangojob_ptr_id = 'j'",
    "DELETE FROM public.django_apscheduler_djangojob WHERE id = 'j'",
)


class TestARoleWithAnotherSearchPath:
    @pytest.mark.parametrize("path", PATHS)
    def test_meets_the_same_triggers(self, path: str) -> None:
        rules.create(name="Fails", kind="failing", threshold=3)
        job = jobs.create(id="j", task="sample.nothing", trigger=EVERY_HOUR)
        add_run(job, scheduled_at=database_now(), state="failed")
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA elsewhere")
            # A table of the same name in front of ours must not be taken for it.
            cursor.execute("CREATE TABLE elsewhere.scheduler_change (LIKE public.scheduler_change)")
            cursor.execute(f"SET LOCAL search_path = {path}")
            for write in WRITES:
                cursor.execute(write)
            cursor.execute("SET LOCAL search_path = public")
            cursor.execute("SELECT count(*) FROM elsewhere.scheduler_change")
            elsewhere = cursor.fetchone()

        assert elsewhere == (0,)
        assert list(Change.objects.order_by("id").values_list("action", flat=True)) == ["created", "edited", "deleted"]
        assert list(Change.objects.order_by("id").values_list("version", flat=True)) == [1, 2, 2]
        assert set(Incident.objects.values_list("kind", flat=True)) == {"failing"}
        assert OwedWindow.objects.filter(job_key="j").exists()
        assert not Job.objects.exists()
        assert Run.objects.get().job_id is None
        assert not RemovedJob.objects.exists()

    def test_has_no_trigger_function_without_a_path_of_its_own(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT proname FROM pg_proc WHERE proname LIKE 'scheduler\\_%' AND prorettype = 'trigger'::regtype "
                "AND NOT coalesce(array_to_string(proconfig, ','), '') LIKE '%search_path=%'"
            )
            assert cursor.fetchall() == []
