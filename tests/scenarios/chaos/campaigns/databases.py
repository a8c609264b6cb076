"""The server is restarted, and the network between it and the nodes is cut, slowed down and silenced."""

from __future__ import annotations

import contextlib
import time

from tests.scenarios.chaos import effects, load
from tests.scenarios.chaos.campaigns import Progress, Report, percentiles, too_late
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.proxy import Mode, Proxy, await_mode
from tests.scenarios.chaos.world import World
from tests.waiting import wait_until

NODES = 2


def pg(world: World, cycles: int, tell: Progress) -> Report:
    """Restart the server, every second time as after a crash, and now and then leave it away for a while."""
    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=load.intervals_for(cycles))
    load.create(specs)
    nodes = [world.launch() for _ in range(NODES)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    recovered = []
    for cycle in range(cycles):
        world.wait(world.chance.uniform(0.3, 2.0))
        world.cluster.stop("immediate" if cycle % 2 else "fast")
        world.wait(world.chance.uniform(0, 4) if cycle % 5 == 4 else 0)
        world.cluster.start()
        recovered.append(_until_a_body_begins(world, since=time.monotonic()))
        if cycle % 10 == 9:
            tell(f"{cycle + 1} restarts")
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    failures = [f"{node.output.name} ended" for node in nodes if not node.is_alive]
    figures = {"back_after_seconds": percentiles(recovered, digits=2)}
    failures += too_late("recovery took long", seconds=figures["back_after_seconds"].get("p99", 0), most=10)
    return Report(done={"restarts": cycles}, figures=figures, verdict=verdict, failures=failures)


def _until_a_body_begins(world: World, *, since: float) -> float:
    size = world.effects.stat().st_size if world.effects.exists() else 0

    def has_begun() -> bool:
        if not world.effects.exists() or world.effects.stat().st_size == size:
            return False
        return any(execution.began > since for execution in effects.read_tail(world.effects, size))

    wait_until(has_begun)
    return time.monotonic() - since


def net(world: World, cycles: int, tell: Progress) -> Report:
    """Of 250 faults: 100 answers to COMMIT swallowed, 100 silences, 50 refusals; now and then a slow line."""
    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=load.intervals_for(cycles))
    load.create(specs)
    proxies = [Proxy(target_port=world.cluster.port) for _ in range(NODES + 1)]
    nodes = [world.launch(url=world.cluster.url("chaos", port=proxy.port)) for proxy in proxies]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    done = {"commits_swallowed": 0, "silences": 0, "refusals": 0, "slow": 0}
    back = []
    for cycle in range(cycles):
        proxy = world.chance.choice(proxies)
        kind = cycle % 5
        if kind in (0, 1):
            proxy.mode = Mode.SWALLOW
            done["commits_swallowed"] += await_mode(proxy, Mode.PASS, seconds=5)
            proxy.mode = Mode.PASS
        elif kind in (2, 3):
            proxy.mode = Mode.SILENT
            world.wait(world.chance.uniform(0.5, 5.0))
            proxy.mode = Mode.PASS
            done["silences"] += 1
        else:
            proxy.mode = Mode.REFUSE
            world.wait(world.chance.uniform(0.1, 3.0))
            proxy.mode = Mode.PASS
            done["refusals"] += 1
        if kind in (3, 4):
            back.append(_until_a_body_begins(world, since=time.monotonic()))
        if cycle % 25 == 24:
            done["slow"] += 1
            proxy.mode = Mode.DELAY
            world.wait(2)
            proxy.mode = Mode.PASS
            tell(f"{cycle + 1} faults")
    until = world.settle(specs)
    verdict = judge(world, specs, until=until)
    failures = [f"{node.output.name} ended" for node in nodes if not node.is_alive]
    stuck = _stuck(world)
    if stuck:
        failures.append(f"{stuck} runs are stuck")
    for node in nodes:
        code, _ = world.terminate(node)
        failures += [f"exit code {code}"] if code else []
    for proxy in proxies:
        proxy.close()
    return Report(
        done=done,
        figures={
            "stuck": stuck,
            "reconciled": world.logged("scheduler.runs.reconciled"),
            "silent_sessions_ended": world.logged("scheduler.database.silent"),
            "stale_writes_refused": world.logged("scheduler.runs.outcome_too_late"),
            "back_after_seconds": percentiles(back, digits=2),
        },
        verdict=verdict,
        failures=failures,
    )


def _stuck(world: World) -> int:
    """Runs that stay unfinished with a node for longer than any body takes, on a busy machine too."""
    late = (
        "SELECT id FROM scheduler_run WHERE finished_at IS NULL AND NOT held"
        " AND due_at < clock_timestamp() - interval '15 seconds'"
    )
    with contextlib.suppress(AssertionError):  # what is still there then is counted
        wait_until(lambda: not world.query(late), every=0.5)
    return len(world.query(late))
