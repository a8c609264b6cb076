"""A node is killed while it rings a broker: between the stamp, the commit and the message, and after it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from scheduler.core.states import RunState
from scheduler.models import Run
from scheduler.store.sessions.connections import Connection
from tests.ledger import add_job, add_node, add_run, take_rung
from tests.sample_app import task_files
from tests.scenarios.site import Site
from tests.waiting import wait_until

SETTINGS = """
from tests.settings import *

TASKS = {{**TASKS, "other": {{"BACKEND": "tests.sample_app.task_files.FileBackend", "OPTIONS": {{"PATH": {path!r}}}}}}}
SCHEDULER = {{**SCHEDULER, "RING_AGAIN_SECONDS": 2.0}}
"""


@pytest.fixture
def messages(site: Site) -> Path:
    """The file of a broker, which nodes with these settings ring as ``tasks:other``."""
    path = site.directory / "messages"
    (site.directory / "ringing_settings.py").write_text(SETTINGS.format(path=str(path)), encoding="utf-8")
    return path


def variables(site: Site, **more: str) -> dict[str, str]:
    return {"DJANGO_SETTINGS_MODULE": "ringing_settings", "PYTHONPATH": str(site.directory), **more}


class TestANodeThatDiesWhileItRings:
    @pytest.mark.parametrize(
        ("place", "stamped", "sent"),
        [("ring.before_commit", 0, 0), ("ring.after_commit", 3, 0), ("ring.after_send", 3, 3)],
        ids=["before the commit", "before the message", "after the message"],
    )
    def test_costs_a_run_time_and_nothing_else(
        self, site: Site, messages: Path, place: str, stamped: int, sent: int
    ) -> None:
        job = add_job(due_at=None, task="sample.nothing")
        past = timezone.now() - timedelta(minutes=1)
        runs = {
            add_run(job, scheduled_at=past + timedelta(seconds=place), executor="tasks:other").pk for place in range(3)
        }
        killed = site.launch("--processes", "0", **variables(site, SCHEDULER_FAILPOINTS=f"{place}=kill"))
        assert killed.ended() == -9
        assert Run.objects.filter(rings=1, state=RunState.QUEUED, node=None).count() == stamped
        assert len(task_files.read(messages)) == sent

        heir = site.start_node(**variables(site))
        wait_until(lambda: {ring["run"] for ring in task_files.read(messages)} == runs)
        wait_until(lambda: Run.objects.filter(rings__gte=1 + bool(stamped)).count() == 3)
        heir.stop()

        worker = add_node(kind="tasks", beat_at=timezone.now())
        session = Connection(purpose="test")
        rings = task_files.read(messages)
        taken = [take_rung(session, node=worker, run=ring["run"], attempt=ring["attempt"]) for ring in rings]
        session.close()
        assert sorted(run.id for run in taken if run is not None) == sorted(runs)
