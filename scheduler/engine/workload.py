"""The runs that this node owns: which wait here, which are with an executor, and for how many more there is room."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence

from scheduler.conf import SchedulerSettings
from scheduler.core.states import RunState
from scheduler.core.tasks.adapters import EndedRun
from scheduler.core.tasks.limits import Limits, Share, share_of
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.errors import UnknownTask
from scheduler.execution.pools import Pool
from scheduler.store.recording.finishing import Outcome
from scheduler.store.recording.runs import OwnedRun
from scheduler.telemetry import events
from scheduler.untouched import json, time

_AHEAD_SECONDS = 0.03
"""Work handed to a pool beyond its free places, in seconds: about as much as it drains during one claim."""


MARK_SECONDS = 0.1
"""A run that skipped the gate is shown as running once it has lasted this long."""


_MOST_LINES = 10
"""Most runs of one batch that are logged one by one. Of larger batches only the failures are."""

logger = logging.getLogger(__name__)


class Workload:
    """The runs of this node. The loop's thread adds and starts them, the recorder's thread settles them."""

    def __init__(self, *, pools: Mapping[str, Pool], settings: SchedulerSettings) -> None:
        self.pools = pools
        self._settings = settings
        self._owned: dict[int, OwnedRun] = {}
        """The latest taking of each run. One that was given back unbegun may be taken again."""

        self._former: dict[int, OwnedRun] = {}
        """Runs whose bodies began, or whose outcomes wait, from before this node was taken for dead."""

        self._pending: dict[str, deque[OwnedRun]] = {name: deque() for name in pools}
        self._unmarked: dict[int, float] = {}
        self._limited: set[int] = set()
        self.highest = 0
        """The highest number of a run that this node has ever owned."""

    def __len__(self) -> int:
        return len(self._owned)

    def get(self, run_id: int) -> OwnedRun | None:
        """Return a run that this node owns, or owned before it was taken for dead."""
        return self._owned.get(run_id) or self._former.get(run_id)

    @property
    def is_idle(self) -> bool:
        return not (self._owned or self._former)

    def room(self) -> dict[str, int]:
        """Return for each executor how many more runs this node may own."""
        prefetch = self._settings.prefetch_seconds
        return {
            name: max(0, pool.capacity(prefetch_seconds=prefetch) - pool.busy - len(self._pending[name]))
            for name, pool in self.pools.items()
        }

    def begin(self, run: OwnedRun) -> None:
        """Own a run that has passed the start gate, and submit it to its executor."""
        self._owned[run.id] = run
        self.highest = max(self.highest, run.id)
        self.submit([run], marked=True)

    def add(self, runs: Collection[OwnedRun]) -> None:
        for run in runs:
            self._owned[run.id] = run
            self._pending[run.executor].append(run)
        self.highest = max(self.highest, max([run.id for run in runs], default=0))

    def wanted(self, executor: str) -> int:
        """Return how many more runs an executor can use now."""
        return self.pools[executor].wants(ahead_seconds=_AHEAD_SECONDS)

    def next_to_start(self) -> tuple[list[OwnedRun], list[OwnedRun]]:
        """
        Take out what the executors can use now: runs that may begin at once, and runs that pass the gate first.

        Idempotent tasks need no gate: to run one twice does no harm.
        """
        free: list[OwnedRun] = []
        gated: list[OwnedRun] = []
        for name, pool in self.pools.items():
            pending = self._pending[name]
            wanted = min(self.wanted(name), len(pending)) if pending else 0
            living = pool.living() if wanted else ()
            for _ in range(wanted):
                run = pending.popleft()
                if self._owned.get(run.id) is not run:
                    continue  # it is recorded, or was given back and taken once more: that taking is in line too
                if run.id in living:
                    pending.append(run)  # its body lives from when this node was taken for dead: it ends first
                    continue
                (free if _needs_no_gate(run) else gated).append(run)
        return free, gated

    def shares(self, runs: Iterable[OwnedRun]) -> dict[int, Share]:
        """Return what limits say of those runs whose tasks have any."""
        runs = tuple(runs)
        tasks = {name: task for name in {run.task for run in runs} if (task := _task(name)) is not None and task.limits}
        return {run.id: _share(tasks[run.task], run) for run in runs if run.task in tasks} if tasks else {}

    def note_limited(self, run_ids: Iterable[int]) -> None:
        """These runs start, and hold a place that others may wait for."""
        self._limited.update(run_ids)

    def end_limited(self, run_ids: Iterable[int]) -> bool:
        """Return whether any of these held such a place. Safe in any thread."""
        ended = self._limited.intersection(run_ids) if self._limited else set()
        self._limited.difference_update(ended)
        return bool(ended)

    def submit(self, runs: Iterable[OwnedRun], *, marked: bool) -> None:
        """Submit runs to their executors. ``marked``: the database shows them as running."""
        if not marked:
            now = time.monotonic()
            self._unmarked.update((run.id, now) for run in runs)
        for run in runs:
            self.pools[run.executor].submit(run)

    @property
    def has_unmarked(self) -> bool:
        return bool(self._unmarked)

    def lasting_unmarked(self) -> list[int]:
        """Take out the runs that skipped the gate, have begun, and last."""
        if not self._unmarked:
            return []
        before = time.monotonic() - MARK_SECONDS
        begun = {run_id for pool in self.pools.values() for run_id in pool.begun()}
        lasting = []
        for run_id, at in list(self._unmarked.items()):
            if self.get(run_id) is None:
                self._unmarked.pop(run_id, None)
            elif at < before and run_id in begun:
                self._unmarked.pop(run_id, None)
                lasting.append(run_id)
        return lasting

    def cancel(self, run_id: int) -> None:
        """Tell a run to end."""
        run = self.get(run_id)
        if run is not None:
            self.pools[run.executor].cancel(run_id)

    def ended(self, outcomes: Iterable[Outcome]) -> list[EndedRun]:
        """Return the enqueued runs among those that ended."""
        owned = (self.get(outcome.run_id) for outcome in outcomes)
        return [EndedRun(run.id, run.task, run.public_id) for run in owned if run is not None and run.public_id]

    def log_ended(self, outcomes: Sequence[Outcome]) -> None:
        """Log runs that ended: each of a few, of many their number and the failures."""
        few = len(outcomes) <= _MOST_LINES
        if not few:
            logger.info(events.RUNS_FINISHED, extra={"count": len(outcomes)})
        for outcome in outcomes:
            if few or outcome.is_failure:
                self._log(outcome)

    def _log(self, outcome: Outcome) -> None:
        run = self.get(outcome.run_id)
        logger.log(
            logging.WARNING if outcome.is_failure else logging.INFO,
            events.RUN_FINISHED,
            extra={
                "run": outcome.run_id,
                "job": run.job_id if run else None,
                "task": run.task if run else None,
                "state": outcome.state.value,
                "seconds": round((outcome.finished - outcome.started) / 1_000_000, 3),
                **({"error": outcome.error} if outcome.error else {}),
            },
        )

    def forget(self, run_ids: Iterable[int]) -> None:
        """These runs are off the node's hands."""
        for run_id in run_ids:
            self._owned.pop(run_id, None)

    def settle(self, outcomes: Iterable[Outcome], *, node: str) -> None:
        """
        Forget runs whose outcomes are off this node's hands.

        ``node`` is its present id. A body that began under a former one ends no taking of its run since.
        """
        for outcome in outcomes:
            self._former.pop(outcome.run_id, None)
            if outcome.node in ("", node):
                self._owned.pop(outcome.run_id, None)

    def live_on(self) -> None:
        """Go on under another id, which does not own runs yet: those that have begun belong to the former id."""
        self._former.update(self._owned)
        self._owned.clear()

    def runs_dry(self, executor: str) -> bool:
        """Return whether the executor has a free place, or soon has one."""
        return self.pools[executor].runs_dry(ahead_seconds=_AHEAD_SECONDS)

    def has_pending(self, executor: str) -> bool:
        return bool(self._pending[executor])

    def take_back(self) -> list[OwnedRun]:
        """Take out every run whose body has not begun, also from the executors."""
        runs = []
        for name, pool in self.pools.items():
            runs += pool.take_back()
            runs += self._pending[name]
            self._pending[name].clear()
        return runs

    def requeue(self, *groups: list[OwnedRun]) -> None:
        """Undo ``next_to_start`` for runs that could not be started."""
        for group in groups:
            for run in reversed(group):
                self._pending[run.executor].appendleft(run)

    def known(self) -> frozenset[int]:
        """Return the numbers of the runs of this node."""
        return frozenset(tuple(self._owned))

    def first_pending(self) -> int:
        """Return the least number of a run that waits here, or the highest that was ever here."""
        return min((run.id for pending in self._pending.values() for run in pending), default=self.highest)

    def differences(
        self, in_database: Mapping[int, RunState], *, known: Collection[int]
    ) -> tuple[list[int], list[int]]:
        """
        Compare with the runs that the database believes to be this node's.

        Returns the ids of runs that have not begun and that the database has otherwise (unknown here, or started there
        while they wait here), and the ids of waiting runs that the database took away. Both are waiting no longer.
        ``known`` are the runs of memory before the database was asked: those that ended since are unknown to neither.
        """
        unbegun = [run_id for run_id in in_database if run_id not in known]
        gone: list[int] = []
        for name, pending in self._pending.items():
            started = {run.id for run in pending if in_database.get(run.id) is RunState.RUNNING}
            missing = {run.id for run in pending if run.id not in in_database}
            if started or missing:
                self._pending[name] = deque(run for run in pending if run.id not in started | missing)
                unbegun += started
                gone += missing
                self.forget(started)
        return unbegun, gone


def _needs_no_gate(run: OwnedRun) -> bool:
    """Return whether its task may run twice. At the gate, a unique key becomes free."""
    task = _task(run.task)
    return task is not None and task.idempotent and (run.policies is None or "unique_while" not in run.policies)


def _task(name: str) -> Task | None:
    try:
        return registry.get(name)
    except UnknownTask:
        return None


def _share(task: Task, run: OwnedRun) -> Share:
    arguments = task.named(args=json.loads(run.args), kwargs=json.loads(run.kwargs))
    return share_of(limits=task.limits or Limits(), arguments=arguments)
