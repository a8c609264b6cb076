"""
Bodies in threads that take the interpreter, the memory or the descriptors of their node: it costs the others time.

The pacemaker is a process beside each node, as in production.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from scheduler.models import Node, Run
from scheduler.services import jobs
from tests.scenarios.holding import NOT_SOON, hold
from tests.scenarios.site import QUICK, NodeProcess, Site, is_alive
from tests.scenarios.ticking import assert_covered_once, assert_nothing_lost_or_doubled, every_second
from tests.waiting import wait_until

LIMITS = {
    "SCHEDULER_STALL_LIMIT_SECONDS": "4",
    "SCHEDULER_POLL_SECONDS": "1",
    "SCHEDULER_ANSWER_TIMEOUT_SECONDS": "5",
}
"""A node that does no work is given up after some seconds instead of minutes."""


class Greedy:
    """A run on a node that takes everything once it is told to."""

    def __init__(self, site: Site, name: str, **kwargs: Any) -> None:
        self._site = site
        self._sign = site.directory / f"take-{name}"
        job = jobs.create(id=name, task=f"greedy.{name}", trigger=NOT_SOON, kwargs={"until": str(self._sign), **kwargs})
        jobs.run_now(job=job)
        site.began(name)
        self.run = Run.objects.get(job_key=name)

    def begins(self) -> None:
        self._sign.touch()

    def ended(self, *, state: str = "succeeded") -> None:
        assert self._site.run(self.run.job_key, state=state).pk == self.run.pk


def pacemaker_of(node: NodeProcess, *, beside: psutil.Process | None = None) -> psutil.Process | None:
    children = [child for child in psutil.Process(node.pid).children() if child != beside]
    return next((child for child in children if "stand_in" in " ".join(child.cmdline())), None)


def has_pacemaker(node: NodeProcess) -> psutil.Process:
    """Wait until the pacemaker of a node watches it, and return it."""

    def watches() -> psutil.Process | None:
        with suppress(psutil.Error):  # it begins just now
            found = pacemaker_of(node)
            maps = found.memory_maps() if found is not None else []
            return found if any("vital-signs" in each.path for each in maps) else None
        return None

    return wait_until(watches)


class TestABodyThatKeepsTheInterpreter:
    def test_costs_the_others_of_its_node_nothing_but_time(self, site: Site, tmp_path: Path) -> None:
        release, gate = tmp_path / "release", tmp_path / "gate"
        os.mkfifo(gate)
        kept = site.start_node()
        has_pacemaker(kept)
        hold("beside", release, rerun_if_interrupted=True)
        site.began("beside")
        greedy = Greedy(site, "interpreter", gate=str(gate))
        other = site.start_node()
        has_pacemaker(other)
        # A run of it may be on the node that stands still, and takes as long.
        tick = every_second("tick", max_instances=10)
        site.began("tick", count=2)

        greedy.begins()
        kept.printed("scheduler.node.interpreter_kept")
        seen = len(site.executions("tick"))
        site.began("tick", count=seen + 4)
        os.close(os.open(gate, os.O_WRONLY))
        greedy.ended()
        release.touch()
        site.run("beside", state="succeeded", attempt=1)
        kept.printed("scheduler.node.interpreter_free")
        kept.stop()
        other.stop()

        assert {execution.pid for execution in site.executions("tick")[seen : seen + 3]} == {other.pid}
        assert Run.objects.filter(state="interrupted").count() == 0
        assert site.node_of(kept).state == "stopped"
        assert str(greedy.run.pk) in kept.output.split("scheduler.node.interpreter_kept")[1].splitlines()[0]
        assert_nothing_lost_or_doubled(site, tick)

    def test_is_named_by_the_processor_that_it_uses(self, site: Site, tmp_path: Path) -> None:
        release, over = tmp_path / "release", tmp_path / "over"
        node = site.start_node()
        has_pacemaker(node)
        hold("innocent", release)
        site.began("innocent")
        greedy = Greedy(site, "compute", over=str(over))

        greedy.begins()
        node.printed("scheduler.node.interpreter_kept")
        reason = wait_until(lambda: site.node_of(node).reason)
        over.touch()
        greedy.ended()
        release.touch()
        node.printed("scheduler.node.interpreter_free")
        wait_until(lambda: not site.node_of(node).reason)
        node.stop()

        assert f"Run {greedy.run.pk} keeps the interpreter" in str(reason)

    def test_ends_its_node_after_the_limit_and_shows_where_it_was(self, site: Site, tmp_path: Path) -> None:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        node = site.start_node(**LIMITS)
        has_pacemaker(node)
        greedy = Greedy(site, "interpreter", gate=str(gate))

        greedy.begins()
        code = node.ended()

        assert code == -signal.SIGABRT
        assert "scheduler.node.given_up" in node.output
        assert "in interpreter" in node.output, "where each thread was is not shown"

    def test_is_taken_over_if_its_node_is_stopped(self, site: Site) -> None:
        node = site.start_node(**QUICK)
        has_pacemaker(node)
        site.start_node(**QUICK)

        node.send(signal.SIGSTOP)
        # On a busy machine it may have been taken for dead before, and have returned.
        wait_until(lambda: not Node.objects.filter(pid=node.pid, state="running").exists())
        before = node.output.count("scheduler.node.returned")
        node.send(signal.SIGCONT)

        node.printed_more_than("scheduler.node.returned", count=before)
        node.stop()


class TestThePacemaker:
    def test_is_replaced_when_it_is_killed_and_ends_with_its_node(self, site: Site) -> None:
        node = site.start_node()
        first = has_pacemaker(node)

        first.kill()
        wait_until(lambda: not is_alive(first))
        second = wait_until(lambda: pacemaker_of(node, beside=first))
        node.kill()

        wait_until(lambda: not is_alive(second))

    def test_outlives_no_node_of_which_a_copy_lives_on(self, site: Site) -> None:
        node = site.start_node()
        pacemaker = has_pacemaker(node)
        over = site.directory / "over"
        greedy = Greedy(site, "fork", over=str(over))
        greedy.begins()
        greedy.ended()
        site.start_node()

        node.kill()

        wait_until(lambda: not is_alive(pacemaker))
        site.lose(node)
        over.touch()


class TestABodyThatTakes:
    def test_all_descriptors_is_survived(self, site: Site) -> None:
        node = site.start_node()
        has_pacemaker(node)
        tick = every_second("tick")
        site.began("tick", count=2)
        greedy = Greedy(site, "descriptors", seconds=3)

        greedy.begins()
        greedy.ended()
        site.began("tick", count=len(site.executions("tick")) + 2)
        node.send(signal.SIGTERM)

        assert node.ended() == 0
        assert Run.objects.filter(state="interrupted").count() == 0
        assert_nothing_lost_or_doubled(site, tick)

    def test_its_files_away_is_survived(self, site: Site) -> None:
        node = site.start_node()
        has_pacemaker(node)
        every_second("tick")
        site.began("tick", count=2)
        greedy = Greedy(site, "close")

        greedy.begins()
        greedy.ended()
        site.began("tick", count=len(site.executions("tick")) + 2)
        node.send(signal.SIGTERM)

        assert node.ended() == 0

    def test_all_memory_and_gives_it_back_is_survived(self, site: Site) -> None:
        node = site.start_node()
        has_pacemaker(node)
        every_second("tick")
        site.began("tick", count=2)
        greedy = Greedy(site, "memory", seconds=4)

        greedy.begins()
        wait_until(lambda: Run.objects.filter(pk=greedy.run.pk, finished_at__isnull=False).exists())
        site.began("tick", count=len(site.executions("tick")) + 3)
        node.send(signal.SIGTERM)
        code = node.ended()

        assert code == 0, node.output[-3000:]

    def test_away_what_its_node_works_with_ends_it(self, site: Site) -> None:
        node = site.start_node(**LIMITS)
        has_pacemaker(node)
        tick = every_second("tick")
        site.began("tick", count=2)
        greedy = Greedy(site, "engine")

        greedy.begins()

        assert node.ended() == -signal.SIGABRT
        heir = site.start_node()
        site.lose(node)
        site.began("tick", count=len(site.executions("tick")) + 2)
        heir.stop()
        assert_nothing_lost_or_doubled(site, tick)

    def test_functions_of_json_and_time_away_fails_at_most_the_tasks_that_use_them(self, site: Site) -> None:
        node = site.start_node()
        tick = every_second("tick", task="sample.nothing", max_instances=1000)
        greedy = Greedy(site, "clock")

        greedy.begins()
        greedy.ended()
        seen = Run.objects.filter(job_key="tick", state="succeeded").count()
        wait_until(lambda: Run.objects.filter(job_key="tick", state="succeeded").count() >= seen + 3)
        node.send(signal.SIGTERM)

        assert node.ended() == 0
        begun = Run.objects.exclude(state="queued", node=None)  # the node gives back what has not begun when it stops
        assert not begun.exclude(state="succeeded").exists()
        assert_covered_once(tick)


class TestABodyThatTellsItsNodeToStop:
    WAYS = ("interrupt_main", "raise_signal", "kill", "kill_all_beside", "killpg", "pthread_kill")

    def test_fails_and_the_node_goes_on(self, site: Site) -> None:
        node = site.start_node()
        told = [(way, number) for way in self.WAYS for number in (signal.SIGTERM, signal.SIGINT)]

        for way, number in told:
            id = f"{way}-{number.name}"
            jobs.run_now(
                job=jobs.create(
                    id=id, task="greedy.stop_node", trigger=NOT_SOON, kwargs={"way": way, "signum": int(number)}
                )
            )
            run = site.run(id, state="failed")
            assert f"A task cannot stop its node: {number.name} was refused." in str(run.error)

        tick = every_second("tick")
        site.began("tick", count=2)
        assert site.node_of(node).state == "running"
        node.stop()
        assert_nothing_lost_or_doubled(site, tick)
