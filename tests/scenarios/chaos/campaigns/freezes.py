"""Nodes are frozen, half of them inside a claim, and it is looked at how long that hides what is due."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise

import psutil
import psycopg2

from tests.scenarios.chaos import load
from tests.scenarios.chaos.campaigns import (
    Progress,
    Report,
    is_judged_by_time,
    lateness,
    percentiles,
    too_late,
)
from tests.scenarios.chaos.oracle import judge
from tests.scenarios.chaos.world import World
from tests.waiting import wait_until

NODES = 3

HIDDEN_SECONDS = 8.0
"""What one freeze may cost: the server ends a transaction that is idle for 5 s, a poll of 1 s follows; 2 s to spare."""

IDLE_SECONDS = 6.5
"""The longest that a frozen node's transaction may lie idle: the limit of 5 s, and what a sample may be late."""

_SAMPLE_SECONDS = 0.1
_TRIES = 3
"""To freeze a node inside a claim: it may have committed a moment before."""

_WORTH_NAMING_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """One stop of one process, on the monotonic clock."""

    number: int
    inside_a_claim: bool
    since: float
    until: float

    def __str__(self) -> str:
        place = "inside a claim" if self.inside_a_claim else "anywhere"
        return f"freeze {self.number} {place} for {self.until - self.since:.1f} s"


@dataclass(slots=True, kw_only=True)
class Spell:
    """A time in which the same job was the oldest that was due and not planned."""

    since: float
    """When it was due."""

    until: float
    idle: dict[str, float] = field(default_factory=dict)
    """Sessions that were idle in a transaction meanwhile, and for how long at most."""


class Lookout(threading.Thread):
    """Asks the database ten times a second what is overdue, and which transactions lie idle."""

    def __init__(self, url: str) -> None:
        super().__init__(name="lookout", daemon=True)
        self._url = url
        self._stopping = threading.Event()
        self.spells: list[Spell] = []
        self.longest_idle = 0.0

    def run(self) -> None:
        connection = psycopg2.connect(self._url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            while not self._stopping.wait(_SAMPLE_SECONDS):
                cursor.execute(
                    "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(next_run_time)), 0)::float8"
                    "  FROM django_apscheduler_djangojob"
                )
                ((overdue,),) = cursor.fetchall()
                at = time.monotonic()
                cursor.execute(
                    "SELECT application_name || ' ' || pid,"
                    "       extract(epoch FROM clock_timestamp() - state_change)::float8"
                    "  FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
                )
                self._note(at, overdue, dict(cursor.fetchall()))
        connection.close()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def _note(self, at: float, overdue: float, idle: dict[str, float]) -> None:
        self.longest_idle = max([self.longest_idle, *idle.values()])
        if overdue < _WORTH_NAMING_SECONDS:
            return
        due = at - overdue
        if not self.spells or abs(self.spells[-1].since - due) > _SAMPLE_SECONDS:
            self.spells.append(Spell(since=due, until=at))
        spell = self.spells[-1]
        spell.until = at
        for session, seconds in idle.items():
            spell.idle[session] = max(seconds, spell.idle.get(session, 0.0))


def pause(world: World, cycles: int, tell: Progress) -> Report:
    """Freeze nodes for half to three times the time after which they are given up, every other one inside a claim."""
    specs = load.standard(seed=world.seed, start_at=world.soon(), intervals=load.intervals_for(cycles))
    load.create(specs)
    nodes = [world.launch() for _ in range(NODES)]
    for node in nodes:
        world.started(node)
    world.reach(specs)
    lookout = Lookout(world.url)
    lookout.start()
    freezes: list[Freeze] = []
    for cycle in range(cycles):
        seconds = world.chance.uniform(1.5, 9.0)
        if cycle % 2:
            tries = (_pause_inside_a_claim(world, seconds) for _ in range(_TRIES))
            since = next((at for at in tries if at is not None), None)
        else:
            node = world.chance.choice(nodes)
            since = world.pause(node)
            world.wait(seconds)
            world.resume(node, since)
        until = time.monotonic()
        if since is not None:
            freezes.append(Freeze(number=len(freezes) + 1, inside_a_claim=bool(cycle % 2), since=since, until=until))
        world.wait(world.chance.uniform(0.2, 1.0))
        if cycle % 10 == 9:
            tell(f"{cycle + 1} nodes frozen")
    until_settled = world.settle(specs)
    lookout.stop()
    verdict = judge(world, specs, until=until_settled)
    refused = world.logged("scheduler.runs.outcome_too_late") + world.logged("scheduler.runs.refused_at_the_gate")
    inside = sum(freeze.inside_a_claim for freeze in freezes)
    failures = [] if refused or cycles < 10 else ["no stale write was tried: the campaign proves nothing"]
    if inside < 0.4 * cycles:
        failures.append(f"only {inside} of {cycles} freezes were inside a claim")
    failures += too_late("the server let a transaction lie idle", seconds=lookout.longest_idle, most=IDLE_SECONDS)
    if is_judged_by_time():
        failures += [text for spell in lookout.spells if (text := breach(spell, freezes))]
    return Report(
        done={"pauses": len(freezes), "inside_a_claim": inside},
        figures={
            "stale_writes_refused": refused,
            "stale_writes_accepted": verdict.stale_accepted,
            "returned_nodes": world.logged("scheduler.node.returned"),
            "late_seconds": lateness(world),
            "hidden_seconds_by_one_freeze": percentiles(
                [part for spell in lookout.spells for part in parts(spell, freezes)], digits=2
            ),
            "spells_over_several_freezes": sum(len(overlapping(spell, freezes)) > 1 for spell in lookout.spells),
            "longest_idle_transaction_seconds": round(lookout.longest_idle, 2),
            "sessions_ended_by_the_server": world.cluster.log.read_text().count("idle-in-transaction timeout"),
        },
        verdict=verdict,
        failures=failures,
    )


def overlapping(spell: Spell, freezes: list[Freeze]) -> list[Freeze]:
    """Return the freezes that held while the spell lasted."""
    return [freeze for freeze in freezes if freeze.since < spell.until and freeze.until > spell.since]


def parts(spell: Spell, freezes: list[Freeze]) -> list[float]:
    """
    Cut a spell where a freeze began: what one freeze let go, the next one may catch again, and each has its own bound.
    """
    cuts = [freeze.since for freeze in overlapping(spell, freezes) if freeze.since > spell.since]
    return [end - begin for begin, end in pairwise([spell.since, *cuts, spell.until])]


def breach(spell: Spell, freezes: list[Freeze]) -> str:
    """Say what a spell that broke the bound had to do with; empty: none was broken."""
    longest = max(parts(spell, freezes))
    if longest <= HIDDEN_SECONDS:
        return ""
    meanwhile = ", ".join(map(str, overlapping(spell, freezes))) or "nothing was frozen"
    idle = ", ".join(f"{session} {seconds:.1f} s" for session, seconds in spell.idle.items()) or "none"
    return (
        f"a job was hidden for {spell.until - spell.since:.1f} s, {longest:.1f} s of them by one freeze: {meanwhile}; "
        f"idle in a transaction: {idle}"
    )


def _pause_inside_a_claim(world: World, seconds: float) -> float | None:
    """
    Let an additional node freeze itself with its rows locked; return since when, or ``None`` if it did not.

    The server is asked whether it did: a process that is stopped a moment too late has committed its claim. Of the jobs
    of a second one node often gets all: it may take this one a while until it gets any.
    """
    probability = world.chance.uniform(0.5, 1.0)
    node = world.launch(failpoints=f"claim.before_commit=stop:{probability:.2f}")
    process = psutil.Process(node.pid)

    def is_frozen() -> bool:
        return process.status() == psutil.STATUS_STOPPED

    try:
        wait_until(is_frozen, every=0.05)
    except AssertionError:
        world.kill(node)
        return None
    since = time.monotonic()
    if not _holds_a_transaction(world, process):
        world.kill(node)
        return None
    world.wait(seconds)
    node.pauses.append((since, time.monotonic()))
    if world.chance.random() < 0.5:
        node.popen.send_signal(signal.SIGCONT)
        world.wait(0.5)
    world.kill(node)
    return since


def _holds_a_transaction(world: World, process: psutil.Process) -> bool:
    """Whether the server, too, says that one of the process' sessions is inside a transaction."""
    ports = [line.laddr.port for line in process.net_connections("tcp")]
    return bool(
        world.query(
            "SELECT 1 FROM pg_stat_activity WHERE client_port = ANY(%s) AND state = 'idle in transaction'"
            " AND application_name = 'scheduler tick'",
            ports,
        )
    )
