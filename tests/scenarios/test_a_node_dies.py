from __future__ import annotations

from pathlib import Path

import psutil
from django.utils import timezone

from scheduler.models import Run
from scheduler.services import jobs
from tests.scenarios.holding import hold
from tests.scenarios.site import NodeProcess, Site, is_alive
from tests.scenarios.ticking import assert_nothing_lost_or_doubled, every_second
from tests.waiting import wait_until


class TestKilledInTheMiddleAndStartedAgain:
    def test_loses_and_doubles_no_fire_time_and_recovers_what_ran(self, site: Site, tmp_path: Path) -> None:
        release = tmp_path / "release"
        tick = every_second("tick")
        hold("long", release, rerun_if_interrupted=True)
        hold("once", release, rerun_if_interrupted=False)
        killed = site.start_node()
        site.began("long")
        site.began("once")
        site.began("tick", count=2)

        killed.kill()
        heir = site.start_node()
        site.lose(killed)
        site.began("long", count=2)
        release.touch()
        recovery = site.run("long", state="succeeded")
        site.run("once", state="interrupted")
        site.began("tick", count=len(site.executions("tick")) + 2)
        heir.stop()

        interrupted = Run.objects.get(job_key="long", attempt=1)
        assert (recovery.kind, recovery.attempt, recovery.previous_id) == ("recovery", 2, interrupted.pk)
        assert recovery.scheduled_at == interrupted.scheduled_at
        assert interrupted.state == "interrupted"
        assert [execution.ended for execution in site.executions("once")] == [False]
        assert Run.objects.filter(job_key="once").count() == 1
        assert not Run.objects.active().filter(node__isnull=False).exists()
        assert_nothing_lost_or_doubled(site, tick)


class TestKilledWhileAnotherNodeWorks:
    def test_hands_over_what_ran_and_what_waited(self, site: Site, tmp_path: Path) -> None:
        release = tmp_path / "release"
        killed = site.start_node("--threads", "1")
        hold("long", release, rerun_if_interrupted=True)
        (first,) = site.began("long")
        survivor = site.start_node("--threads", "4")
        tick = every_second("tick")
        site.began("tick")

        killed.kill()
        site.lose(killed)

        recovered = site.began("long", count=2)[1]
        assert (first.pid, recovered.pid) == (killed.pid, survivor.pid)
        release.touch()
        site.run("long", state="succeeded", attempt=2)
        site.began("tick", count=len(site.executions("tick")) + 1)
        survivor.stop()
        assert site.node_of(killed).state == "lost"
        assert_nothing_lost_or_doubled(site, tick)


class TestKilledAgainAndAgain:
    def test_loses_and_doubles_no_fire_time(self, site: Site) -> None:
        created = [every_second(f"tick-{n}") for n in range(10)]
        nodes = [site.start_node(), site.start_node()]
        killed: list[NodeProcess] = []

        for round_number in range(4):
            # At another moment of the second each time: about to claim, with runs at hand, about to record.
            seen = len(site.executions())
            wait_until(lambda: len(site.executions()) > seen + 3 * round_number)  # noqa: B023 - called at once
            killed.append(nodes.pop(0))
            killed[-1].kill()
            nodes.append(site.start_node())
            site.lose(killed[-1])
        lost = [site.node_of(node).pk for node in killed]
        wait_until(lambda: not Run.objects.active().filter(node__in=lost).exists())
        site.began("tick-0", count=len(site.executions("tick-0")) + 3)
        for node in nodes:
            node.stop()

        assert not Run.objects.active().filter(node__isnull=False).exists()
        for job in created:
            assert_nothing_lost_or_doubled(site, job)


class TestTheProcessPoolOfAKilledNode:
    def test_is_gone_with_it(self, site: Site, tmp_path: Path) -> None:
        node = site.start_node("--processes", "2")
        hold("long", tmp_path / "never", executor="processpool")
        (execution,) = site.began("long")
        children = psutil.Process(node.pid).children(recursive=True)
        assert execution.pid in {child.pid for child in children}

        node.kill()

        wait_until(lambda: not any(is_alive(child) for child in children))


class TestARetryThatWaits:
    def test_outlives_the_node_whose_run_failed(self, site: Site) -> None:
        job = jobs.create(
            task="governed.fail_until",
            kwargs={"attempt": 2},
            trigger={"type": "date", "run_at": "2100-01-01T00:00:00Z"},
            max_retries=1,
            retry_delay=3600.0,
            retry_jitter=0.0,
        )
        jobs.run_now(job=job)
        first = site.start_node()
        failed = site.run(job.pk, state="failed")
        waiting = site.run(job.pk, state="queued", kind="retry")

        first.kill()
        second = site.start_node()
        due_at = timezone.now()
        Run.objects.filter(pk=waiting.pk).update(due_at=due_at)
        succeeded = site.run(job.pk, state="succeeded")
        second.stop()

        assert (succeeded.pk, succeeded.attempt, succeeded.previous_id) == (waiting.pk, 2, failed.pk)
        assert succeeded.started_at >= due_at
        assert Run.objects.filter(job_key=job.pk).count() == 2
