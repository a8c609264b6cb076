"""Tasks are enqueued inside transactions, a third of which roll back, while nodes are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.chaos import effects
from tests.scenarios.chaos.campaigns import Progress, Report, percentiles
from tests.scenarios.chaos.campaigns.processes import DEADLY
from tests.scenarios.chaos.effects import Execution
from tests.scenarios.chaos.oracle import Verdict, judge
from tests.scenarios.chaos.world import CHECKOUT, Process, World
from tests.waiting import PATIENCE_SECONDS, wait_until

NODES = 3
ENQUEUERS = 4
_MAX_RECOVERIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One attempt of an enqueued task in the ledger."""

    id: int
    token: str
    attempt: int
    state: str
    is_finished: bool
    waited: float | None


def enqueue(world: World, cycles: int, tell: Progress) -> Report:
    """Kill nodes with -9 at random moments and at failpoints, while four processes enqueue."""
    nodes = [_launch(world, number) for number in range(NODES)]
    enqueuers = [_start_enqueuer(world, number) for number in range(ENQUEUERS)]
    wait_until(lambda: all(_has_begun(world, number) for number in range(ENQUEUERS)), every=0.1)
    for cycle in range(cycles):
        victim = world.chance.choice(nodes)
        world.wait(world.chance.uniform(0.3, 2.0))
        world.kill(victim)
        nodes[nodes.index(victim)] = _launch(world, cycle)
        for node in [node for node in nodes if not node.is_alive]:  # a failpoint was quicker
            world.bury(node)
            nodes[nodes.index(node)] = _launch(world, cycle)
        if cycle % 20 == 19:
            tell(f"{cycle + 1} nodes killed")
    for process in enqueuers:
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0, [file.read_text() for file in world.directory.glob("enqueuer-*.log")]
    for node in nodes:
        world.kill(node)
    for _ in range(2):
        world.launch()
    _settle(world)
    return _report(world, cycles)


def _launch(world: World, number: int) -> Process:
    if number % 2:
        return world.launch()
    name = world.chance.choice(sorted(DEADLY))
    return world.launch(failpoints=f"{name}=kill:{DEADLY[name]}")


def _start_enqueuer(world: World, number: int) -> subprocess.Popen[bytes]:
    output = (world.directory / f"enqueuer-{number}.log").open("wb")
    with output:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.scenarios.chaos.enqueuer",
                str(_notes(world, number)),
                f"{world.seed}-{number}",
            ],
            cwd=CHECKOUT,
            env=world._environment(world.url),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _notes(world: World, number: int) -> Path:
    return world.directory / f"enqueued-{number}"


def _has_begun(world: World, number: int) -> bool:
    notes = _notes(world, number)
    return notes.exists() and notes.stat().st_size > 0


def _settle(world: World) -> None:
    """Let healthy nodes deal with everything."""
    left = "SELECT count(*) FROM scheduler_run WHERE finished_at IS NULL AND kwargs ? 'token'"
    try:
        wait_until(lambda: not world.query(left)[0][0], 2 * PATIENCE_SECONDS, every=0.25)
    except AssertionError:
        print("It does not settle; what is left is counted as unaccounted.", flush=True)


def _report(world: World, cycles: int) -> Report:
    notes = [line.split() for number in range(ENQUEUERS) for line in _notes(world, number).read_text().splitlines()]
    verdict = judge(world, [], until=world.now())
    rows = _ledger(world)
    executions = effects.read(world.effects)
    committed = {token: task for token, task, fate in notes if fate == "committed"}
    rolled_back = {token for token, _, fate in notes if fate == "rolled-back"}
    verdict.fire_times = len(committed)
    _judge(verdict, committed=committed, rolled_back=rolled_back, rows=rows, executions=executions)
    waited = [row.waited for row in rows if row.waited is not None and row.attempt == 1]
    return Report(
        done={"kills": sum(process.died is not None for process in world.processes), "cycles": cycles},
        figures={"committed": len(committed), "rolled_back": len(rolled_back), "waited_seconds": percentiles(waited)},
        verdict=verdict,
        failures=[] if committed and rolled_back else ["Too little was enqueued."],
    )


def _ledger(world: World) -> list[Row]:
    found = world.query(
        "SELECT id, kwargs ->> 'token', attempt, state, finished_at IS NOT NULL,"
        " extract(epoch FROM started_at - created_at)::float8"
        "  FROM scheduler_run WHERE kwargs ? 'token' ORDER BY id"
    )
    names = ("id", "token", "attempt", "state", "is_finished", "waited")
    return [Row(**dict(zip(names, row, strict=True))) for row in found]


def _judge(
    verdict: Verdict,
    *,
    committed: dict[str, str],
    rolled_back: set[str],
    rows: list[Row],
    executions: list[Execution],
) -> None:
    """Count committed tasks without exactly one outcome, and rolled-back ones that left anything."""
    by_token: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_token[row.token].append(row)
    for token in rolled_back & by_token.keys():
        verdict.note("invented", f"{token} was rolled back: {by_token[token]}")
    begun: dict[int, list[Execution]] = defaultdict(list)
    known = {row.id for row in rows}
    for execution in executions:
        begun[execution.run_id].append(execution)
        if execution.run_id not in known:
            verdict.note("invented", f"a body without a row of the ledger: {execution}")
    for token, task in committed.items():
        _judge_task(verdict, token, by_token[token], begun, runs_again=task == "again")


def _judge_task(
    verdict: Verdict, token: str, attempts: list[Row], begun: dict[int, list[Execution]], *, runs_again: bool
) -> None:
    if not attempts:
        verdict.note("lost", token)
        return
    outcomes = [row for row in attempts if row.is_finished and row.state != "interrupted"]
    if len({row.attempt for row in attempts}) < len(attempts) or len(outcomes) > 1:
        verdict.note("doubled", f"{token}: {attempts}")
    starts = [start for row in attempts for start in begun[row.id]]
    for row in attempts:
        if not row.is_finished:
            verdict.note("unaccounted", row)
        if row.state == "succeeded" and not any(start.ended for start in begun[row.id]):
            verdict.note("unproven", row)
        if not runs_again and len(begun[row.id]) > 1:
            verdict.note("double_starts", f"{token}: {begun[row.id]}")
    if not runs_again and len(starts) > 1:
        verdict.note("second_starts", f"{token}: {starts}")
    if runs_again:
        verdict.extra_executions += max(0, len(starts) - 1)
        if len(attempts) <= _MAX_RECOVERIES and not any(start.ended for start in starts):
            verdict.note("not_done", f"{token}: {attempts}")
