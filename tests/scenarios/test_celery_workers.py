"""Bodies on Celery workers. The tests send the messages themselves, doubled, late and to nobody."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import psutil
import pytest
from django.db import connection
from django.utils import timezone

from scheduler import __version__
from scheduler.contrib.celery import bell
from scheduler.errors import RunFinished
from scheduler.models import Node, Run
from scheduler.services import runs
from tests.brokers import Broker, Valkey
from tests.postgres import Cluster, clock_library
from tests.scenarios import impatient
from tests.scenarios.ringing import ring, waiting_run
from tests.scenarios.site import QUICK, Site, is_alive
from tests.waiting import wait_until

RARE = {
    "SCHEDULER_HEARTBEAT_SECONDS": "100",
    "SCHEDULER_LEASE_SECONDS": "300",
    "SCHEDULER_REAP_AFTER_SECONDS": "400",
    "SCHEDULER_RECONCILE_SECONDS": "300",
    "SCHEDULER_POLL_SECONDS": "300",
    "SCHEDULER_BUSY_POLL_SECONDS": "300",
}
"""A worker that looks at nothing by itself for minutes: what it hears of has woken it up."""


def ended(run: Run) -> Run:
    """Wait until a run has ended, and return its row."""
    return wait_until(lambda: Run.objects.finished().filter(pk=run.pk).first())


def is_gone(pid: int) -> bool:
    try:
        return not is_alive(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return True


class TestAWorker:
    def test_runs_bodies_in_child_processes_that_it_ends_in_time(
        self, site: Site, broker: Broker, tmp_path: Path
    ) -> None:
        worker = site.start_worker(broker, pool="prefork", **RARE)
        squared = waiting_run("square", "sample.square", kwargs={"number": 7})
        printed = waiting_run("print", "sample.print", kwargs={"text": "hello"})
        crashing = waiting_run("crash", "sample.crash", kwargs={"number": int(signal.SIGKILL)})
        slow = waiting_run("slow", "sample.hold", kwargs={"until": str(tmp_path / "never")}, timeout=10.0)
        ring(squared, printed, crashing, slow)

        result = ended(squared).result
        assert (result["square"], result["pid"] == worker.pid) == (49, False)
        assert "stdout: hello" in ended(printed).log
        assert (ended(crashing).state, "SIGKILL" in ended(crashing).error) == ("failed", True)
        assert ended(slow).state == "timed_out"
        # None, where its process took longer to start than it had time.
        wait_until(lambda: all(is_gone(execution.pid) for execution in site.executions("slow")))

        row = Node.objects.get(pid=worker.pid)
        assert (row.kind, row.queues, row.version, row.state) == ("celery", ["scrape"], __version__, "running")
        assert "sample.square" in row.tasks
        assert row.name.startswith("celery@")
        assert not site.executions("square")
        worker.stop()
        row.refresh_from_db()
        assert row.state == "stopped"

    @pytest.mark.parametrize("pool", ["prefork", "threads"])
    def test_ends_a_cancelled_body_when_postgresql_notifies_it(self, site: Site, valkey: Broker, pool: str) -> None:
        worker = site.start_worker(valkey, pool=pool, **RARE)
        listening = waiting_run("listen", "governed.listen")
        ring(listening)
        site.run("listen", state="running")

        Run.objects.filter(pk=listening.pk).update(cancel_requested_at=timezone.now())  # without a notification
        time.sleep(2.0)
        assert Run.objects.get(pk=listening.pk).state == "running"
        Run.objects.filter(pk=listening.pk).update(cancel_requested_at=None)

        runs.cancel(run=listening)

        assert ended(listening).state == "cancelled"
        worker.stop()

    def test_begins_a_run_once_however_often_it_is_rung(self, site: Site, valkey: Valkey) -> None:
        workers = [site.start_worker(valkey, places=4) for _ in range(2)]
        waiting = [waiting_run(f"job-{number}") for number in range(20)]

        ring(*waiting, times=10)

        for run in waiting:
            assert ended(run).state == "succeeded"
        wait_until(lambda: valkey.waiting("scrape") == 0)
        wait_until(lambda: valkey.unacknowledged() == 0)
        for worker in workers:
            worker.stop()
        assert sorted(execution.run_id for execution in site.executions()) == sorted(run.pk for run in waiting)

    def test_drops_rings_of_no_run_and_of_runs_that_wait_no_longer(self, site: Site, valkey: Broker) -> None:
        worker = site.start_worker(valkey, pool="solo")
        for arguments in ({"run": 2**70, "attempt": 1, "ring": 1}, {"run": "1; DROP", "attempt": 1, "ring": 1}, {}):
            bell.application().send_task("scheduler.run", kwargs=arguments, queue="scrape")
        early, late = waiting_run("early"), waiting_run("late")
        runs.cancel(run=early)

        ring(early, late, Run(pk=10**9, attempt=1))

        assert (ended(late).state, ended(early).state) == ("succeeded", "cancelled")
        with pytest.raises(RunFinished):
            runs.cancel(run=late)
        wait_until(lambda: valkey.waiting("scrape") == 0)
        worker.stop()
        assert worker.output.count("scheduler.worker.message_unreadable") == 3
        assert [execution.job for execution in site.executions()] == ["late"]


class TestAnApplicationOfAProject:
    def test_runs_its_own_tasks_and_bodies_within_their_memory(
        self, site: Site, valkey: Broker, tmp_path: Path
    ) -> None:
        app, note = "tests.scenarios.own_celery_app", tmp_path / "note"
        worker = site.start_worker(valkey, pool="prefork", places=1, app=app, SCHEDULER_CHILD_MEMORY_MB="800")
        growing = waiting_run("grow", "governed.grow")
        bell.application().send_task("shop.note", [str(note)], queue="scrape")
        ring(growing)

        assert wait_until(lambda: note.exists() and note.read_text()) != str(worker.pid)
        grown = ended(growing)
        assert (grown.state, "MemoryError" in str(grown.error)) == ("failed", True)
        row = Node.objects.get()
        assert (row.kind, row.executors) == ("celery", {"celery": 1})
        worker.send(signal.SIGTERM)
        assert worker.ended() == 0


class TestAWorkerThatDies:
    def test_leaves_its_runs_to_others_and_no_child_behind(self, site: Site, valkey: Broker, tmp_path: Path) -> None:
        release = tmp_path / "release"
        killed = site.start_worker(valkey, pool="prefork", places=1)
        again = waiting_run("again", "sample.hold", kwargs={"until": str(release)}, rerun_if_interrupted=True)
        ring(again)
        site.began("again")
        children = psutil.Process(killed.pid).children(recursive=True)
        heir = site.start_worker(valkey)

        killed.kill()
        site.lose(killed)

        wait_until(lambda: not any(is_alive(child) for child in children))
        recovery = site.run("again", state="queued", kind="recovery")
        assert ended(again).state == "interrupted"
        release.touch()
        ring(recovery)
        assert ended(recovery).state == "succeeded"
        heir.stop()

    def test_that_only_froze_records_nothing_of_what_others_took_over(
        self, site: Site, valkey: Broker, tmp_path: Path
    ) -> None:
        release = tmp_path / "release"
        # Its pacemaker would beat for it: here the whole machine stands still.
        frozen = site.start_worker(valkey, SCHEDULER_PACEMAKER="0", **QUICK)
        run = waiting_run("again", "sample.hold", kwargs={"until": str(release)}, rerun_if_interrupted=True)
        ring(run)
        site.began("again")
        heir = site.start_worker(valkey, **QUICK)

        frozen.send(signal.SIGSTOP)
        recovery = site.run("again", state="queued", kind="recovery")
        release.touch()
        ring(recovery)
        assert ended(recovery).state == "succeeded"
        frozen.send(signal.SIGCONT)
        frozen.printed("scheduler.runs.outcome_too_late")

        assert ended(run).state == "interrupted"
        assert Run.objects.count() == 2
        after = waiting_run("after")
        heir.stop()
        ring(after)
        assert ended(after).state == "succeeded"
        frozen.stop()


class TestAWorkerThatStops:
    def test_lets_bodies_end_and_leaves_the_rest_to_others(self, site: Site, valkey: Broker, tmp_path: Path) -> None:
        release = tmp_path / "release"
        worker = site.start_worker(valkey, places=1)
        held = waiting_run("held", "sample.hold", kwargs={"until": str(release)})
        rest = [waiting_run(f"rest-{number}") for number in range(3)]
        ring(held)
        site.began("held")
        ring(*rest)

        worker.send(signal.SIGTERM)
        wait_until(lambda: Node.objects.get().state == "stopping")
        release.touch()

        assert worker.ended() == 0
        assert ended(held).state == "succeeded"
        assert set(Run.objects.filter(finished_at=None).values_list("state", "node")) == {("queued", None)}
        heir = site.start_worker(valkey)
        ring(*rest)
        for run in rest:
            assert ended(run).state == "succeeded"
        heir.stop()

    def test_at_once_interrupts_bodies(self, site: Site, valkey: Broker, tmp_path: Path) -> None:
        worker = site.start_worker(valkey, pool="prefork")
        held = waiting_run("held", "sample.hold", kwargs={"until": str(tmp_path / "never")}, rerun_if_interrupted=True)
        ring(held)
        (execution,) = site.began("held")

        worker.send(signal.SIGTERM)
        wait_until(lambda: Node.objects.get().state == "stopping")
        worker.send(signal.SIGQUIT)
        worker.ended()

        assert ended(held).state == "interrupted"
        assert Run.objects.filter(kind="recovery", state="queued").count() == 1
        wait_until(lambda: is_gone(execution.pid))


class TestAnAwkwardEnvironment:
    def test_the_broker_delivers_again_what_waits_in_a_worker(self, site: Site, valkey: Broker, tmp_path: Path) -> None:
        settings = {"DJANGO_SETTINGS_MODULE": "tests.scenarios.impatient"}
        busy = site.start_worker(valkey, "--prefetch-multiplier", "3", places=1, **settings)
        held = waiting_run("held", "sample.hold", kwargs={"until": str(tmp_path / "release")})
        ring(held)
        site.began("held")
        waiting = [waiting_run(f"waiting-{number}") for number in range(3)]
        ring(*waiting)
        wait_until(lambda: valkey.never_taken("scrape") == 0)  # those that it took may be back in the queue
        passed = time.monotonic() + impatient.SECONDS
        wait_until(lambda: time.monotonic() > passed)

        other = site.start_worker(valkey, **settings)

        for run in waiting:
            assert ended(run).state == "succeeded"
        (tmp_path / "release").touch()
        assert ended(held).state == "succeeded"
        busy.stop()
        other.stop()
        assert sorted(execution.run_id for execution in site.executions()) == sorted(run.pk for run in (held, *waiting))

    def test_postgresql_restarts_while_bodies_run(
        self, site: Site, valkey: Broker, cluster: Cluster, tmp_path: Path
    ) -> None:
        release = tmp_path / "release"
        worker = site.start_worker(valkey)
        held = waiting_run("held", "sample.hold", kwargs={"until": str(release)})
        after = waiting_run("after")
        ring(held)
        site.began("held")

        cluster.stop("immediate")
        release.touch()
        ring(after)
        worker.printed("scheduler.recorder.waits")
        assert [execution.job for execution in site.executions()] == ["held"]
        cluster.start()
        connection.close()

        assert ended(held).state == "succeeded"
        assert ended(after).state == "succeeded"
        worker.stop()

    def test_a_release_lacks_the_task(self, site: Site, valkey: Broker) -> None:
        older = site.start_worker(valkey, DJANGO_SETTINGS_MODULE="openlearn.settings")
        run = waiting_run("square", "sample.square", kwargs={"number": 7})

        ring(run)

        run = wait_until(lambda: Run.objects.filter(pk=run.pk).exclude(reason_code="").first())
        assert (run.state, run.node, run.reason_code) == ("queued", None, "worker_lacks_task")
        assert run.reason_params["task"] == "sample.square"
        newer = site.start_worker(valkey)

        def has_ended() -> bool:
            ring(run)  # by chance to one of the two releases that work side by side
            return Run.objects.finished().filter(pk=run.pk).exists()

        wait_until(has_ended, every=0.3)
        run.refresh_from_db()
        assert (run.state, run.reason_code) == ("succeeded", "")
        assert run.node == Node.objects.get(pid=newer.pid).pk
        older.stop()
        newer.stop()

    def test_the_clock_of_the_worker_is_an_hour_wrong(self, site: Site, valkey: Broker) -> None:
        worker = site.start_worker(
            valkey,
            LD_PRELOAD=str(clock_library()),
            FAKETIME="+1h",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            SCHEDULER_PACEMAKER="0",
        )
        run = waiting_run("record")
        ring(run)

        run = ended(run)
        assert run.state == "succeeded"
        assert run.created_at <= run.started_at <= run.finished_at
        assert (run.finished_at - run.created_at).total_seconds() < 1800
        worker.stop()

    def test_a_result_is_far_too_large(self, site: Site, valkey: Broker) -> None:
        worker = site.start_worker(valkey, pool="prefork", places=1)
        run = waiting_run("huge", "governed.huge", kwargs={"megabytes": 50})
        ring(run)

        run = ended(run)
        assert run.state == "succeeded"
        assert len(json.dumps(run.result)) < 100_000
        worker.stop()
