"""``tasks:ALIAS`` with django-tasks-db: its workers run bodies of the ledger, and die while they do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from scheduler.models import Node, Run
from tests.ledger import add_job, add_run
from tests.scenarios.site import CHECKOUT, NodeProcess, Site, environment
from tests.waiting import wait_until

pytest.importorskip("django_tasks_db")

SETTINGS = """
from importlib.util import find_spec

from tests.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, *([] if find_spec("django.tasks") else ["django_tasks"]), "django_tasks_db"]
TASKS = {**TASKS, "other": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
"""

StartWorker = Callable[[], NodeProcess]


def variables(site: Site) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "settings_with_a_backend",
        "PYTHONPATH": str(site.directory),
        "SCHEDULER_RING_AGAIN_SECONDS": "600",  # a worker may start later than nodes ring a second time
    }


@pytest.fixture
def start_worker(site: Site) -> StartWorker:
    """Starts a worker of django-tasks-db, whose tables are there."""
    (site.directory / "settings_with_a_backend.py").write_text(SETTINGS, encoding="utf-8")
    given = environment(site.url, **variables(site))
    subprocess.run([sys.executable, "manage.py", "migrate", "-v", "0"], cwd=CHECKOUT, env=given, check=True)
    program = (sys.executable, "manage.py", "db_worker")

    def start() -> NodeProcess:
        arguments = ("--backend", "other", "--interval", "0.1", "--no-startup-delay", "--no-reload")
        return site.launch(*arguments, program=program, **variables(site))

    return start


def queued(id: str, *, task: str = "sample.record", **changes: object) -> Run:
    job = add_job(id=id, due_at=None, task=task)
    return add_run(job, scheduled_at=timezone.now() - timedelta(seconds=1), executor="tasks:other", **changes)


class TestAWorkerOfDjangoTasksDb:
    def test_runs_bodies_and_appears_among_the_nodes(self, site: Site, start_worker: StartWorker) -> None:
        runs = [queued(f"job-{number}") for number in range(5)]
        worker = start_worker()
        node = site.start_node(**variables(site))

        for run in runs:
            done = site.run(run.job_key, state="succeeded")
            assert done.rings == 1
        row = Node.objects.get(pk=done.node)

        assert (row.kind, row.queues, row.pid) == ("tasks", ["other"], worker.pid)
        assert len(site.executions()) == 5
        node.stop()

    def test_that_is_killed_leaves_an_interrupted_run(self, site: Site, start_worker: StartWorker) -> None:
        run = queued("long", task="governed.listen")
        worker = start_worker()
        site.start_node(**variables(site))
        site.run("long", state="running")

        worker.kill()
        site.lose(worker)

        ended = site.run("long", state="interrupted")
        assert ended.reason_code == "node_lost"
        wait_until(lambda: Node.objects.get(pk=ended.node).state == "lost")
        assert Run.objects.filter(job_key=run.job_key).count() == 1
