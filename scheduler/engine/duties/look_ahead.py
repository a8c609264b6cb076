"""Ask when anything is due that this node may take, so that it sleeps until then."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

from scheduler.core.queues import tracks
from scheduler.core.tasks.registry import registry
from scheduler.engine.duties.claim import Claim
from scheduler.engine.duties.release import Release
from scheduler.engine.duties.resume import Resume
from scheduler.engine.duties.ring import Ring
from scheduler.engine.duties.take import Take
from scheduler.engine.duty import Agenda, Duty, Work
from scheduler.loops import Share
from scheduler.store.recording import enqueued, runs
from scheduler.store.recording.runs import NextDue
from scheduler.store.sessions.notifications import Channel
from scheduler.untouched import time

_LOCKED_SECONDS = 0.05
"""Delay before the next query for due work that is locked: by another node for a moment, by a person for longer."""


class LookAhead(Duty):
    """Plan the next claim, and what else has a time: waiting and held runs, and pauses that end."""

    wakes_on = Channel.RUNS

    def __init__(self, work: Work, agenda: Agenda) -> None:
        super().__init__(work, agenda)
        # While a transaction elsewhere is open, the indexes have what was taken or released since.
        self._queues_share = Share(quick_seconds=0.01, rest=20)
        self._runs_share = Share(quick_seconds=0.05, rest=20)
        self.soon()

    def hear(self, subject: str) -> None:
        if not subject:  # else runs are due already on a track that is named: they are taken
            self.soon()

    def is_due(self, now: float) -> bool:
        """Due on request, and after a claim that cannot tell when the next one is due, but not between full claims."""
        claim = self.agenda.duty(Claim)
        return not claim.has_more and (claim.is_blind or super().is_due(now))

    def run(self) -> None:
        claim, take = self.agenda.duty(Claim), self.agenda.duty(Take)
        room = self.work.workload.room()
        has_room = [name for name in room if room[name] > 0 and take.tracks.is_served(name)]
        due = self._next_due(has_room)
        queue_seconds = self._look_at_queues(room, due.paused_queues)
        # Whether more waits for a full executor is asked when a place is free again.
        take.look_again(name for name in room if room[name] <= 0)
        longest = self.work.settings.poll_seconds
        job_seconds = longest if due.job is None else min(_until(due.job, asked_at=claim.called_at), longest)
        run_seconds = longest if due.run is None else _until(due.run, asked_at=take.complete_at)
        held_seconds = longest if due.held is None else self.agenda.duty(Release).plan(seconds=due.held)
        pause_seconds = longest if due.pause is None else self.agenda.duty(Resume).plan(seconds=due.pause)
        if due.run is not None and run_seconds <= job_seconds:
            take.look_again()
        others = min(run_seconds, held_seconds, pause_seconds, queue_seconds, self._runs_share.seconds or longest)
        seconds = min(job_seconds, others)
        claim.due_again(seconds=seconds, knows_until=time.monotonic() + self._holds(due, seconds, others))

    def _next_due(self, executors: list[str]) -> NextDue:
        looks_at_runs = self._runs_share.is_due
        if not looks_at_runs:
            self.agenda.duty(Take).look_again(executors)  # from where it stopped
        with self._runs_share.spent() if looks_at_runs else nullcontext():
            return runs.next_due(
                self.work.connection,
                tasks=registry.names(),
                executors=executors if looks_at_runs else (),
                since=self.work.positions.due_from,
                held=looks_at_runs,
            )

    def _look_at_queues(self, room: Mapping[str, int], paused: Mapping[str, float | None]) -> float:
        """Note which queues are paused and what waits on tracks with a queue. Return when to look again, in seconds."""
        take = self.agenda.duty(Take)
        take.tracks.note_paused(paused)
        times = [seconds for seconds in paused.values() if seconds is not None]
        if not self._queues_share.is_due:
            take.look_again()  # at the heads of those that are known
            return max(0.0, min([*times, self._queues_share.seconds]))
        with self._queues_share.spent():
            found = enqueued.waiting_tracks(self.work.connection, tasks=registry.names())
        if remote := [track for track, _ in found if tracks.is_remote(track)]:
            self.agenda.duty(Ring).note_waiting(remote)
        waiting = {track: seconds for track, seconds in found if tracks.executor_of(track) in room}
        take.tracks.note_waiting(waiting)
        times += [
            _until(seconds, asked_at=take.asked_at(track))
            for track, seconds in waiting.items()
            if seconds is not None and room[tracks.executor_of(track)] > 0 and take.tracks.is_served(track)
        ]
        return max(0.0, min(times, default=self.work.settings.poll_seconds))

    def _holds(self, due: NextDue, seconds: float, others: float) -> float:
        """
        Return the seconds for which the answer holds while claims go on, so that the loop does not sleep over other due
        work.
        """
        holds = max(seconds, self.work.settings.busy_poll_seconds)
        if due.run or due.held or due.pause:  # neither absent nor due already
            return min(holds, others)
        return holds


def _until(seconds: float, *, asked_at: float | None) -> float:
    """
    Return the seconds to wait for work that is due in this many seconds.

    Work that was due at ``asked_at`` and could not be had is locked by others. A query at once would only keep a
    processor and the database busy.
    """
    if seconds >= 0:
        return seconds
    was_due = asked_at is not None and -seconds > time.monotonic() - asked_at
    return _LOCKED_SECONDS if was_due else 0.0
