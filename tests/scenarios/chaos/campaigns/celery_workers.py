"""Bodies on Celery workers: nodes, workers, their children and the broker are killed at random."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import psutil

from tests.brokers import KINDS, Broker
from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, lateness, percentiles
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import Process, World

NODES = 2
WORKERS = 2
POOLS = (("prefork", 2), ("threads", 6))
"""The pools of workers in turn, and their places. Child processes take a core for seconds to start."""

QUEUE = "chaos"

VARIABLES = {"SCHEDULER_RING_AGAIN_SECONDS": "1"}
"""A lost message is rung again after this, and not after half a minute."""

_WHAT = ("node", "worker", "child", "worker", "broker")
"""One of these is killed in each cycle, at random."""

_PAUSE_SECONDS = (0.5, 4.5)
"""Bounds of the time between two kills. A worker takes a core for seconds to start, and bodies have to run as well."""

_EITHER = {"reap.before_commit": 0.3, "beat.before": 0.3, "listen.loop": 0.3}
NODE_FAILPOINTS = {
    "claim.before_commit": 0.05,
    "claim.after_commit": 0.05,
    "ring.before_commit": 0.05,
    "ring.after_commit": 0.05,
    "ring.after_send": 0.05,
    **_EITHER,
}
WORKER_FAILPOINTS = {
    "run.before_gate": 0.02,
    "run.after_gate": 0.02,
    "run.before_user_code": 0.02,
    "finish.before_commit": 0.02,
    "finish.after_commit": 0.02,
    **_EITHER,
}
"""Steps at which half of the processes kill themselves, from the claim to the outcome, and how likely each time."""

_ENDED_BY_CELERY = "Could not start worker processes"
"""Celery's reason to end a worker that has just started, because a process of its own pool was killed meanwhile."""

_SETTLE_SECONDS = 240.0

_SETTLING_SECONDS = "0.03"
"""The same when all is over: a run that was rung twelve times in vain waits for a minute instead of ten."""


class Crowd:
    """The two nodes and the two workers, of which some are always dying."""

    def __init__(self, world: World, broker: Broker) -> None:
        self._world = world
        self._broker = broker
        self.killed: Counter[str] = Counter()
        self.at_failpoints: Counter[str] = Counter()
        self.ended_by_celery = 0
        """Workers that Celery ended because this killed a process of its own pool while they started."""

        self.failures: list[str] = []
        self.launched = 0
        self._bereaved: set[int] = set()
        """Process ids of the workers of which a child was killed."""

        self.nodes = [self._node() for _ in range(NODES)]
        self.workers = [self._worker() for _ in range(WORKERS)]

    def kill(self, what: str) -> None:
        """Kill one of these with -9, and start another one in its place."""
        if what == "broker":
            self._broker.kill()
            self._world.wait(self._world.chance.uniform(0.0, 2.0))
            self._broker.start()
        elif what == "child":
            self._kill_child()
        elif what == "node":
            self._kill_one(self.nodes, self._node)
        else:
            self._kill_one(self.workers, self._worker)
        self.killed[what] += 1
        self._replace_dead()

    def end(self) -> None:
        """Kill all, and start healthy ones."""
        for process in (*self.nodes, *self.workers):
            self._world.kill(process)
        healthy = {**self._variables, "SCHEDULER_RING_AGAIN_SECONDS": _SETTLING_SECONDS}
        self.nodes = [self._world.launch(variables=healthy) for _ in range(NODES)]
        self.workers = [self._worker(is_doomed=False) for _ in range(WORKERS)]

    @property
    def _variables(self) -> dict[str, str]:
        return {"CELERY_BROKER_URL": self._broker.url, **VARIABLES}

    def _kill_one(self, several: list[Process], start: Callable[[], Process]) -> None:
        place = self._world.chance.randrange(len(several))
        self._world.kill(several[place])
        several[place] = start()

    def _replace_dead(self) -> None:
        """Start others for those that a failpoint killed."""
        for several, start in ((self.nodes, self._node), (self.workers, self._worker)):
            for place, process in enumerate(several):
                if not process.is_alive:
                    self._world.bury(process)
                    self._note_death(process)
                    several[place] = start()

    def _note_death(self, process: Process) -> None:
        if process.popen.returncode == -signal.SIGKILL and process.failpoints:
            self.at_failpoints[process.failpoints.partition("=")[0]] += 1
        elif process.pid in self._bereaved and _ENDED_BY_CELERY in process.output.read_text(errors="replace"):
            self.ended_by_celery += 1
        else:
            last = process.output.read_text(errors="replace").splitlines()[-3:]
            self.failures.append(f"{process.output.name} ended with {process.popen.returncode}: {last}"[:3000])

    def _kill_child(self) -> None:
        """Kill a process of a worker: one that runs a body, one that waits, or the pacemaker."""
        worker = self._world.chance.choice(self.workers)
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(worker.pid).children()
            if children:
                self._bereaved.add(worker.pid)
                os.kill(self._world.chance.choice(children).pid, signal.SIGKILL)

    def _node(self) -> Process:
        return self._world.launch(variables=self._variables, failpoints=self._failpoints(NODE_FAILPOINTS))

    def _worker(self, *, is_doomed: bool = True) -> Process:
        pool, places = POOLS[self.launched % len(POOLS)]
        options = ("--pool", pool, "--concurrency", f"{places}", "-n", f"w{self.launched}@%h")
        self.launched += 1
        return self._world.launch(
            *options,
            "--without-mingle",
            "--without-gossip",
            program=("-m", "celery"),
            command=("-A", "openlearn", "worker", "-Q", QUEUE),
            variables=self._variables,
            failpoints=self._failpoints(WORKER_FAILPOINTS) if is_doomed else "",
        )

    def _failpoints(self, deadly: Mapping[str, float]) -> str:
        """Return for every second process the moment at which it kills itself."""
        if self._world.chance.random() < 0.5:
            return ""
        name = self._world.chance.choice(sorted(deadly))
        return f"{name}=kill:{deadly[name]}"


def celery(world: World, cycles: int, tell: Progress, *, kind: str) -> Report:
    """Kill nodes, workers, children and the broker with -9 while every run is rung through this kind of broker."""
    with KINDS[kind]() as broker:
        os.environ["CELERY_BROKER_URL"] = broker.url  # the service checks that there is one
        specs = load.standard(seed=world.seed, start_at=world.soon(20.0), intervals=max(20, min(cycles, 150)))
        load.create(specs, executor=f"celery:{QUEUE}")
        crowd = Crowd(world, broker)
        world.reach(specs)
        for cycle in range(cycles):
            world.wait(world.chance.uniform(*_PAUSE_SECONDS))
            crowd.kill(world.chance.choice(_WHAT))
            if cycle % 20 == 19:
                tell(f"{cycle + 1} killed: {dict(crowd.killed)}")
        crowd.end()
        until = world.settle(specs, timeout=_SETTLE_SECONDS)
        verdict = judge(world, specs, until=until)
    ((runs, rings),) = world.query("SELECT count(*), coalesce(sum(rings), 0) FROM scheduler_run")
    return Report(
        done={
            "broker": kind,
            "runs": runs,
            "rings": int(rings),
            "bodies": verdict.executions,
            "killed": dict(crowd.killed),
            "at_failpoints": dict(crowd.at_failpoints),
            "ended_by_celery": crowd.ended_by_celery,
        },
        figures={"late_seconds": lateness(world), "begins_late_seconds": _begins_late(world)},
        verdict=verdict,
        failures=crowd.failures,
    )


def _begins_late(world: World) -> dict[str, float]:
    """How long after its fire time a body began on a worker, while brokers, nodes and workers died."""
    rows = world.query(
        "SELECT extract(epoch FROM started_at - scheduled_at)::float8 FROM scheduler_run"
        " WHERE kind = 'scheduled' AND attempt = 1 AND coalesced = 0 AND started_at IS NOT NULL"
    )
    return percentiles([seconds for (seconds,) in rows])


on_valkey = partial(celery, kind="valkey")
on_rabbitmq = partial(celery, kind="rabbitmq")
