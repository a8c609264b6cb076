"""The tracks from which a node takes runs: which of them may have more, which are paused, whose turn it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from scheduler.core.queues import tracks

_MOST_EMPTY = 16
"""Tracks of an executor that are asked at each hint although they were empty: runs on them begin sooner."""


class Tracks:
    """
    The tracks of each executor of a node, with one flag each: more runs may wait there.

    The loop's thread adds and removes tracks. Flags are raised in any thread.
    """

    def __init__(self, *, executors: Iterable[str], queues: Collection[str]) -> None:
        self._queues = frozenset(queues)
        self._more = {
            name: {name: True, tracks.of_enqueued(executor=name, queue=tracks.DEFAULT_QUEUE): True}
            for name in executors
        }
        self._turns = dict.fromkeys(self._more, 0)
        self._paused: frozenset[str] = frozenset()
        self._served: dict[str, bool] = {}
        """Answers that hold until other queues are paused: each run that ends asks."""

    @property
    def expects_more(self) -> bool:
        """Return whether runs may wait for some executor."""
        return any(self.may_have_more(executor) for executor in self._more)

    def may_have_more(self, executor: str) -> bool:
        """Return whether runs may wait for this executor on a track that is served. Safe in any thread."""
        return any(has_more and self.is_served(track) for track, has_more in tuple(self._more[executor].items()))

    def is_served(self, track: str) -> bool:
        """Return whether this node takes runs of the track now: its queue is served here, and is not paused."""
        answers = self._served
        served = answers.get(track)
        if served is None:
            served = tracks.serves(self._queues, track) and tracks.queue_of(track) not in self._paused
            answers[track] = served
        return served

    def look_again(self, executors: Iterable[str] | None = None) -> None:
        """Runs may wait for these executors, or for all. Safe in any thread."""
        for executor in self._more if executors is None else executors:
            more = self._more[executor]
            for track in tuple(more):
                more[track] = True

    def look_at(self, track: str) -> None:
        """Runs that are due wait on this track."""
        more = self._more.get(tracks.executor_of(track))
        if more is not None and tracks.serves(self._queues, track):
            more[track] = True

    def look_again_at_planned(self) -> None:
        """A claim of this node left runs waiting: mostly on the tracks of the default queue. Hints name the others."""
        for executor, more in self._more.items():
            more[executor] = True

    def note_paused(self, queues: Collection[str]) -> None:
        """These queues are paused now. Those that were are asked again."""
        resumed = self._paused.difference(queues)
        self._paused = frozenset(queues)
        self._served = {}
        if resumed:
            self.look_again()

    def note_waiting(self, seconds_until_due: Mapping[str, float | None]) -> None:
        """
        Runs wait on these tracks with a queue. Those with a run that is due are asked for it.

        A track that is not served is kept as well: it may be resumed.
        """
        for executor, more in self._more.items():
            present = {track for track in seconds_until_due if tracks.executor_of(track) == executor}
            for track in tuple(more):
                if len(more) > _MOST_EMPTY and track != executor and track not in present and not more[track]:
                    del more[track]
            for track in present:
                seconds = seconds_until_due[track]
                more[track] = more.get(track, False) or (seconds is not None and seconds <= 0)

    def put_down(self, track: str) -> None:
        """The track is asked now. Another thread may raise the flag again while the answer is on its way."""
        self._more[tracks.executor_of(track)][track] = False

    def raise_again(self, track: str) -> None:
        self._more[tracks.executor_of(track)][track] = True

    def in_turn(self, executor: str) -> list[str]:
        """Return the tracks of an executor that may have more, beginning with another one at each call."""
        more = self._more[executor]
        wanted = sorted(track for track in more if more[track] and self.is_served(track))
        if len(wanted) < 2:
            return wanted
        self._turns[executor] += 1
        first = self._turns[executor] % len(wanted)
        return wanted[first:] + wanted[:first]
