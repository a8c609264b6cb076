from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from scheduler.models import Run
from scheduler.services import jobs
from tests.postgres import free_port
from tests.scenarios.site import Site
from tests.waiting import wait_until

NOT_SOON = {"type": "interval", "days": 1}


def request(id: str, task: str, **definition: Any) -> None:
    """Create a job and let it run now."""
    jobs.run_now(job=jobs.create(id=id, task=task, trigger=NOT_SOON, **definition))


class TestATerminatedNode:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
    def test_lets_what_runs_end_and_gives_back_what_has_not_begun(
        self, site: Site, tmp_path: Path, number: signal.Signals
    ) -> None:
        release = tmp_path / "release"
        node = site.start_node("--threads", "1")
        request("long", "sample.hold", kwargs={"until": str(release)})
        site.began("long")
        for name in ("first", "second"):
            request(name, "sample.record")

        node.send(number)
        wait_until(lambda: site.node_of(node).state == "stopping")
        release.touch()

        assert node.ended() == 0
        assert "Traceback" not in node.output
        assert "scheduler.node.stopped" in node.output
        assert Run.objects.get(job_key="long").state == "succeeded"
        assert set(Run.objects.exclude(job_key="long").values_list("state", "node")) == {("queued", None)}
        assert [execution.job for execution in site.executions()] == ["long"]
        assert site.node_of(node).state == "stopped"

    def test_hands_what_it_gave_back_to_the_next_node(self, site: Site, tmp_path: Path) -> None:
        release = tmp_path / "release"
        node = site.start_node("--threads", "1")
        request("long", "sample.hold", kwargs={"until": str(release)})
        site.began("long")
        request("waiting", "sample.record")
        node.send(signal.SIGTERM)
        wait_until(lambda: site.node_of(node).state == "stopping")

        heir = site.start_node("--threads", "1")
        site.run("waiting", state="succeeded")
        release.touch()

        assert node.ended() == 0
        heir.stop()
        assert len(site.executions("waiting")) == 1
        assert site.run("long", state="succeeded").attempt == 1

    def test_leaves_what_takes_longer_than_its_grace(self, site: Site, tmp_path: Path) -> None:
        never = str(tmp_path / "never")
        node = site.start_node("--grace", "0.3")
        request("again", "sample.hold", kwargs={"until": never}, rerun_if_interrupted=True)
        request("once", "sample.hold", kwargs={"until": never}, rerun_if_interrupted=False)
        site.began("again")
        site.began("once")

        node.stop()

        found = set(Run.objects.values_list("job_key", "attempt", "kind", "state", "node"))
        assert ("again", 2, "recovery", "queued", None) in found
        assert {(key, attempt, state) for key, attempt, _, state, _ in found if attempt == 1} == {
            ("again", 1, "interrupted"),
            ("once", 1, "interrupted"),
        }
        assert len(found) == 3

    def test_waits_for_nothing_when_it_is_told_twice(self, site: Site, tmp_path: Path) -> None:
        node = site.start_node("--grace", "600")
        request("long", "sample.hold", kwargs={"until": str(tmp_path / "never")})
        site.began("long")
        node.send(signal.SIGTERM)
        wait_until(lambda: site.node_of(node).state == "stopping")

        node.stop()

        assert Run.objects.get().state == "interrupted"
        assert site.node_of(node).state == "stopped"

    def test_ends_although_a_task_left_a_thread_behind(self, site: Site, tmp_path: Path) -> None:
        node = site.start_node()
        request("leaves", "sample.leave_a_thread", kwargs={"until": str(tmp_path / "never")})
        site.run("leaves", state="succeeded")

        node.stop()

        assert site.node_of(node).state == "stopped"

    def test_ends_although_a_task_goes_on_printing(self, site: Site) -> None:
        node = site.start_node("--grace", "0.1")
        for number in range(5):
            request(f"chatters-{number}", "sample.chatter")
            site.began(f"chatters-{number}")

        node.stop()

        assert set(Run.objects.values_list("state", flat=True)) == {"interrupted"}

    def test_ends_the_children_of_its_process_pool(self, site: Site, tmp_path: Path) -> None:
        release = tmp_path / "release"
        node = site.start_node("--processes", "1")
        request("long", "sample.hold", kwargs={"until": str(release)}, executor="processpool")
        site.began("long")

        node.send(signal.SIGTERM)
        wait_until(lambda: site.node_of(node).state == "stopping")
        release.touch()

        assert node.ended() == 0
        assert "Traceback" not in node.output
        assert Run.objects.get().state == "succeeded"


class TestANodeThatIsStillStarting:
    def test_stops_while_it_waits_for_the_database(self, site: Site) -> None:
        node = site.launch("--wait", "600", DATABASE_URL=f"postgresql://postgres@127.0.0.1:{free_port()}/postgres")
        node.printed("Waiting up to 600 s for the database")

        node.stop()  # long before it would give up

        assert "scheduler.node.started" not in node.output

    def test_stops_while_its_process_pool_starts(self, site: Site) -> None:
        node = site.launch("--processes", "2")
        node.printed("scheduler.node.started")

        node.stop()

        assert site.node_of(node).state == "stopped"
