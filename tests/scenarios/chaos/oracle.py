"""The judge: what should have happened, what the ledger says, what bodies did. It asks the product nothing."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from tests.scenarios.chaos import effects
from tests.scenarios.chaos.effects import Execution
from tests.scenarios.chaos.load import Spec
from tests.scenarios.chaos.world import World

_SHOWN = 8
_MAX_RECOVERIES = 3

_EXPECTED_IN_SERVER_LOG = re.compile(
    r"terminating connection|the database system is|canceling statement due to|could not receive data|"
    r"unexpected EOF|connection to client lost|could not send data|idle-in-transaction timeout|broken pipe|"
    r"lock timeout|\bchaos: "
)

_STARTS_A_CHILD = re.compile(r"multiprocessing/spawn\.py|billiard/process\.py")
"""Processes of a pool. Those of Celery's own pool (billiard) run no bodies."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """How many times each invariant was broken, and what was seen on the way."""

    lost: int = 0
    doubled: int = 0
    invented: int = 0
    unaccounted: int = 0
    double_starts: int = 0
    second_starts: int = 0
    unproven: int = 0
    not_done: int = 0
    overlaps: int = 0
    stale_accepted: int = 0
    errors: int = 0
    fire_times: int = 0
    executions: int = 0
    extra_executions: int = 0
    """Of work that may be run again: attempts after a crash."""

    states: dict[str, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not any(getattr(self, name) for name in BROKEN)

    def note(self, name: str, what: object) -> None:
        setattr(self, name, getattr(self, name) + 1)
        if sum(example.startswith(name) for example in self.examples) < _SHOWN:
            self.examples.append(f"{name}: {what}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


BROKEN = (
    "lost",
    "doubled",
    "invented",
    "unaccounted",
    "double_starts",
    "second_starts",
    "unproven",
    "not_done",
    "overlaps",
    "stale_accepted",
    "errors",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the ledger."""

    id: int
    job: str
    scheduled_at: datetime
    covers_from: datetime
    coalesced: int
    kind: str
    attempt: int
    state: str
    is_finished: bool
    owner: int | None
    """The process id of the node that owns it, or owned it when it ended."""


def judge(world: World, specs: list[Spec], *, until: datetime) -> Verdict:
    """Judge every fire time up to ``until``, and every row whenever it was."""
    verdict = Verdict()
    rows = _ledger(world)
    executions = effects.read(world.effects)
    verdict.executions = len(executions)
    verdict.states = dict(Counter(row.state for row in rows))
    by_job: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_job[row.job].append(row)
    begun: dict[int, list[Execution]] = defaultdict(list)
    for execution in executions:
        begun[execution.run_id].append(execution)
    for spec in specs:
        _judge_cover(verdict, spec, by_job[spec.id], until)
        _judge_executions(verdict, spec, by_job[spec.id], begun, until)
    _judge_overlaps(verdict, world, specs, executions)
    for what, run, detail in world.query("SELECT what, run, detail FROM chaos_violation ORDER BY at"):
        verdict.note("stale_accepted", f"{what} ({run}: {detail})")
    _judge_logs(verdict, world)
    return verdict


def _ledger(world: World) -> list[Row]:
    found = world.query(
        # Rows of odd jobs may have times that Python has not.
        "SELECT run.id, run.job_key, greatest(least(run.scheduled_at, '9999-01-01'), '0001-01-02'),"
        " greatest(least(coalesce(run.covers_from, run.scheduled_at), '9999-01-01'), '0001-01-02'), run.coalesced,"
        " run.kind, run.attempt, run.state, run.finished_at IS NOT NULL, node.pid"
        " FROM scheduler_run AS run LEFT JOIN scheduler_node AS node ON node.id = run.node ORDER BY run.id"
    )
    names = (
        "id",
        "job",
        "scheduled_at",
        "covers_from",
        "coalesced",
        "kind",
        "attempt",
        "state",
        "is_finished",
        "owner",
    )
    return [Row(**dict(zip(names, row, strict=True))) for row in found]


def _judge_cover(verdict: Verdict, spec: Spec, rows: list[Row], until: datetime) -> None:
    latest = max([until, *(row.scheduled_at for row in rows)])
    expected = spec.fire_times(latest)
    known = set(expected)
    covered: Counter[datetime] = Counter()
    for row in rows:
        if row.attempt > 1 or row.kind != "scheduled":
            continue
        within = [moment for moment in expected if row.covers_from <= moment <= row.scheduled_at]
        if row.scheduled_at not in known or row.covers_from not in known or len(within) != row.coalesced + 1:
            verdict.note("invented", row)
        covered.update(within)
        left_out = [moment for moment in within if spec.leaves_out(moment)]
        if left_out and (row.state != "skipped" or len(left_out) < len(within)):
            verdict.note("invented", f"{row} covers fire times that a calendar leaves out")
    for moment in expected:
        if moment <= until:
            verdict.fire_times += 1
            if not covered[moment]:
                verdict.note("lost", f"{spec.id} at {moment}")
        if covered[moment] > 1:
            twice = [row for row in rows if row.covers_from <= moment <= row.scheduled_at and row.attempt == 1]
            verdict.note("doubled", f"{spec.id} at {moment}: {twice}")


def _judge_executions(
    verdict: Verdict, spec: Spec, rows: list[Row], begun: dict[int, list[Execution]], until: datetime
) -> None:
    attempts: dict[datetime, list[Row]] = defaultdict(list)
    own_bodies = {start.pid for starts in begun.values() for start in starts}  # others run theirs in child processes
    for row in rows:
        attempts[row.scheduled_at].append(row)
        starts = begun[row.id]
        if not row.is_finished and row.covers_from <= until:
            verdict.note("unaccounted", row)
        if spec.gated and len(starts) > 1:
            verdict.note("double_starts", f"{spec.id} run {row.id}: {starts}")
        if row.state == "succeeded" and not any(start.ended for start in starts):
            verdict.note("unproven", row)
        elif (
            row.state == "succeeded"
            and row.owner in own_bodies
            and not any(start.ended for start in starts if start.pid == row.owner)
        ):
            verdict.note("stale_accepted", f"{row} was ended by another process: {starts}")
    for moment, tried in attempts.items():
        starts = [start for row in tried for start in begun[row.id]]
        if not spec.runs_again and len(starts) > 1:
            verdict.note("second_starts", f"{spec.id} at {moment}: {starts}")
        if spec.runs_again:
            verdict.extra_executions += max(0, len(starts) - 1)
            is_over = tried[-1].state in ("missed", "skipped") or not tried[-1].is_finished
            gave_up = sum(row.kind == "recovery" for row in tried) >= _MAX_RECOVERIES
            if not is_over and not gave_up and not any(start.ended for start in starts):
                verdict.note("not_done", f"{spec.id} at {moment}: {tried}")


def _judge_overlaps(verdict: Verdict, world: World, specs: list[Spec], executions: list[Execution]) -> None:
    """Count moments with too many bodies; bodies of processes that were frozen for long are not held against it."""
    died = {process.pid: process.died for process in world.processes if process.died is not None}
    frozen = {process.pid for process in world.processes if process.pauses}
    by_job: dict[str, list[tuple[float, int, Execution]]] = defaultdict(list)
    for execution in executions:
        if execution.pid in frozen:
            continue
        ended = execution.ended or died.get(execution.pid)
        if ended is None:
            continue
        by_job[execution.job] += [(execution.began, 1, execution), (ended, -1, execution)]
    for spec in specs:
        running = 0
        for _, step, execution in sorted(by_job[spec.id], key=lambda event: event[:2]):
            running += step
            if step > 0 and running > spec.max_instances:
                verdict.note("overlaps", f"{spec.id}: {running} at once, the last of them {execution}")


def _is_of_celery(line: str) -> bool:
    """Whether Celery logged it: what it says about a broker that was killed is no error of ours."""
    return line.startswith("{") and str(json.loads(line).get("logger")).startswith(("celery", "kombu", "amqp"))


def _judge_logs(verdict: Verdict, world: World) -> None:
    for line in world.cluster.log.read_text(errors="replace").splitlines():
        is_bad = any(f" {level}: " in line for level in ("ERROR", "FATAL", "PANIC"))
        if "deadlock" in line or (is_bad and not _EXPECTED_IN_SERVER_LOG.search(line)):
            verdict.note("errors", line)
    for process in world.processes:
        lines = process.output.read_text(errors="replace").splitlines()
        for number, line in enumerate(lines):
            # A child that was being started when its parent was killed.
            begins_late = any(_STARTS_A_CHILD.search(later) for later in lines[number + 1 : number + 5])
            if "Traceback" in line and not begins_late and not _is_of_celery(line):
                verdict.note("errors", f"{process.output.name}: {' | '.join(lines[number : number + 25])[:3000]}")
