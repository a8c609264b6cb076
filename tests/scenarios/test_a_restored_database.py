from __future__ import annotations

from pathlib import Path

from openlearn.db import programs
from scheduler.models import Change, Job, Run
from scheduler.services import jobs
from tests.postgres import Cluster
from tests.scenarios.site import Site, connected_to

EVERY_HOUR = {"type": "interval", "hours": 1}


class TestDataThatIsRestoredIntoMigratedTables:
    def test_brings_back_jobs_runs_and_history_as_they_were(self, cluster: Cluster, site: Site, tmp_path: Path) -> None:
        for number in range(3):
            job = jobs.create(id=f"job-{number}", task="sample.nothing", trigger=EVERY_HOUR)
            jobs.update(job=job, priority=number)
            jobs.run_now(job=job)
        expected = _rows()
        file = cluster.directory / "dump"
        # The rules of alerts are made by the migrations, and are there already.
        tables = ["-t", "scheduler_*", "-t", "django_apscheduler_*", "-T", "scheduler_rule*"]
        programs.run("pg_dump", "-Fc", "--data-only", *tables, "-f", str(file), site.url, account=cluster.account)
        cluster.psql("CREATE DATABASE restored TEMPLATE learning")
        try:
            programs.run(
                "pg_restore", "--data-only", "--exit-on-error", "-d", cluster.url("restored"), str(file),
                account=cluster.account,
            )  # fmt: skip
            with connected_to(cluster.url("restored")):
                assert _rows() == expected
                jobs.create(id="afterwards", task="sample.nothing", trigger=EVERY_HOUR)
                assert list(Change.objects.filter(job_key="afterwards").values_list("action", "via")) == [
                    ("created", "code")
                ]
        finally:
            cluster.psql("DROP DATABASE restored WITH (FORCE)")


def _rows() -> list[object]:
    return [
        sorted(Job.objects.values_list("pk", "version", "priority", "next_run_time", "state")),
        sorted(Run.objects.values_list("pk", "job_key", "state")),
        sorted(Change.objects.values_list("pk", "job_key", "version", "action", "via")),
    ]
