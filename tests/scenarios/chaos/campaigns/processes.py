"""Nodes are killed and stopped."""

from __future__ import annotations

import math
import signal
import subprocess
import time

import psutil

from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, lateness, percentiles, too_late
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import QUICK, Process, World

NODES = 3

DEADLY = {
    "claim.before_commit": 0.15,
    "claim.after_commit": 0.15,
    "run.after_gate": 0.15,
    "run.before_user_code": 0.05,
    "finish.before_commit": 0.15,
    "finish.after_commit": 0.15,
    "reap.before_commit": 0.3,
    "beat.before": 0.3,
    "listen.loop": 0.5,
}


def kill(world: World, cycles: int, tell: Progress) -> Report:
    """Kill nodes with -9: half at random moments, half in the millisecond that a failpoint names."""
    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=load.intervals_for(cycles))
    load.create(specs)
    nodes = [_launch_doomed(world, number) for number in range(NODES)]
    world.reach(specs)
    at_failpoints = 0
    for cycle in range(cycles):
        victim = world.chance.choice(nodes)
        if victim.failpoints:
            try:
                victim.popen.wait(world.chance.uniform(1.0, 4.0))
                world.bury(victim)
                at_failpoints += 1
            except subprocess.TimeoutExpired:
                world.kill(victim)
        else:
            world.wait(world.chance.uniform(0.2, 2.0))
            world.kill(victim)
        nodes[nodes.index(victim)] = _launch_doomed(world, cycle)
        for node in [node for node in nodes if not node.is_alive]:  # a failpoint was quicker
            world.bury(node)
            at_failpoints += 1
            nodes[nodes.index(node)] = _launch_doomed(world, cycle)
        if cycle % 20 == 19:
            tell(f"{cycle + 1} nodes killed")
    for node in nodes:
        world.kill(node)
    for _ in range(2):
        world.launch()
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    return Report(
        done={"kills": sum(process.died is not None for process in world.processes), "at_failpoints": at_failpoints},
        figures={
            "noticed_after_seconds": _noticed(world),
            "overdue_beside_another_seconds": _overdue_beside_another(world),
            "late_seconds": lateness(world),
        },
        verdict=verdict,
    )


def _launch_doomed(world: World, number: int) -> Process:
    if number % 2:
        return world.launch()
    name = world.chance.choice(sorted(DEADLY))
    return world.launch(failpoints=f"{name}=kill:{DEADLY[name]}")


def _noticed(world: World) -> dict[str, float]:
    """How long after its death a node was given up by the others."""
    offset = time.time() - time.monotonic()
    died = {process.pid: process.died + offset for process in world.processes if process.died is not None}
    rows = world.query("SELECT pid, extract(epoch FROM stopped_at)::float8 FROM scheduler_node WHERE state = 'lost'")
    return percentiles([stopped - died[pid] for pid, stopped in rows if pid in died], digits=2)


def _overdue_beside_another(world: World) -> dict[str, float]:
    """
    How long one and the same node left another unnoticed that it should have given up.

    It judges others from its second heartbeat on; while nodes die faster than they start there may be none to judge.
    """
    beat, silence = float(QUICK["SCHEDULER_HEARTBEAT_SECONDS"]), float(QUICK["SCHEDULER_REAP_AFTER_SECONDS"])
    offset = time.time() - time.monotonic()
    died = {process.pid: process.died + offset for process in world.processes if process.died is not None}
    rows = world.query(
        "SELECT pid, extract(epoch FROM started_at)::float8, extract(epoch FROM heartbeat_at)::float8,"
        " CASE WHEN state = 'lost' THEN extract(epoch FROM stopped_at)::float8 END FROM scheduler_node"
    )
    judges = [(pid, started + 2 * beat, died.get(pid, math.inf)) for pid, started, _, _ in rows]
    return percentiles(
        [
            max(
                (
                    min(given_up, until) - max(since, last_beat + silence)
                    for judge, since, until in judges
                    if judge != pid
                ),
                default=0.0,
            )
            for pid, _, last_beat, given_up in rows
            if given_up is not None
        ],
        digits=2,
    )


def stop(world: World, cycles: int, tell: Progress) -> Report:
    """Stop nodes with SIGTERM while the others go on, and now and then one that is still starting."""
    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=load.intervals_for(cycles))
    load.create(specs)
    nodes = [world.launch() for _ in range(NODES)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    failures, took, children_left = [], [], 0
    for cycle in range(cycles):
        place = cycle % NODES
        if cycle % 10 == 9:
            failures += _stop_while_starting(world)
        world.wait(world.chance.uniform(0.0, 0.6))
        world.started(nodes[place])
        children = psutil.Process(nodes[place].pid).children(recursive=True)
        code, seconds = world.terminate(nodes[place])
        took.append(seconds)
        children_left += sum(child.is_running() for child in children)
        if code != 0:
            failures.append(f"exit code {code}: {nodes[place].output.read_text()[-500:]}")
        failures += too_late("stopping took long", seconds=seconds, most=27)
        nodes[place] = world.launch()
        if cycle % 20 == 19:
            tell(f"{cycle + 1} nodes stopped")
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    ((reruns,),) = world.query("SELECT count(*) FROM scheduler_run WHERE attempt > 1 OR state = 'interrupted'")
    if reruns:
        failures.append(f"{reruns} runs were interrupted or begun again")
    if children_left:
        failures.append(f"{children_left} children were left behind")
    return Report(
        done={"stops": cycles},
        figures={
            "reruns": reruns,
            "children_left": children_left,
            "stopping_seconds": percentiles(took, digits=2),
            "late_seconds": lateness(world),
            "begins_late_seconds": _begins_late(world),
        },
        verdict=verdict,
        failures=failures,
    )


def _begins_late(world: World) -> dict[str, float]:
    """How long after its fire time the body of a first attempt began."""
    rows = world.query(
        "SELECT extract(epoch FROM started_at - scheduled_at)::float8 FROM scheduler_run"
        " WHERE kind = 'scheduled' AND attempt = 1 AND coalesced = 0 AND started_at IS NOT NULL AND NOT held"
    )
    return percentiles([seconds for (seconds,) in rows])


def _stop_while_starting(world: World) -> list[str]:
    process = world.launch()
    world.wait(world.chance.uniform(0.0, 2.0))
    code, seconds = world.terminate(process)
    text = process.output.read_text()
    # Before Python has read the command there is no handler: the signal ends the process, silently.
    if code not in (0, -signal.SIGTERM) or "Traceback" in text:
        return [f"stopped while starting: exit code {code} after {seconds:.1f} s: {text[-500:]}"]
    return []
