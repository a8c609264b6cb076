"""Nodes whose clocks are wrong by an hour or a day work beside one whose clock is right."""

from __future__ import annotations

import shutil

from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import Progress, Report, percentiles
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import World

OFFSETS = ("+1h", "-1h", "+1d", "-1d")


def clock(world: World, cycles: int, tell: Progress) -> Report:
    """Let one node at a time have a wrong clock (Debian's ``faketime``), each for twelve seconds."""
    if shutil.which("faketime") is None:
        raise FileNotFoundError("The program faketime is missing: apt-get install faketime")
    specs = load.standard(seed=world.seed, start_at=world.soon())
    load.create(specs)
    world.started(world.launch())
    world.reach(specs)
    for cycle in range(cycles):
        offset = OFFSETS[cycle % len(OFFSETS)]
        wrong = world.launch(variables={"CHAOS_WRAP": f"faketime -f {offset}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        world.started_somehow(wrong, count=cycle + 2)
        world.wait(12)
        code, _ = world.terminate(wrong)
        tell(f"a clock was wrong by {offset}; exit code {code}")
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    early = world.query(
        "SELECT count(*), min(least(created_at, started_at) - scheduled_at)::text FROM scheduler_run"
        " WHERE created_at < scheduled_at OR started_at < scheduled_at"
    )
    lost = world.query("SELECT count(*) FROM scheduler_node WHERE state = 'lost'")
    late = world.query(
        "SELECT extract(epoch FROM created_at - scheduled_at)::float8 FROM scheduler_run"
        " WHERE kind = 'scheduled' AND attempt = 1 AND coalesced = 0"
    )
    warned = world.logged("scheduler.clock.skewed")
    failures = [f"{early[0][0]} runs were early, by {early[0][1]}"] if early[0][0] else []
    failures += [f"{lost[0][0]} nodes were given up"] if lost[0][0] else []
    failures += [] if warned == cycles else [f"{warned} of {cycles} wrong clocks were noticed"]
    return Report(
        done={"wrong_clocks": cycles},
        figures={
            "early": early[0][0],
            "nodes_given_up": lost[0][0],
            "warned": warned,
            "late_seconds": percentiles([seconds for (seconds,) in late]),
        },
        verdict=verdict,
        failures=failures,
    )
