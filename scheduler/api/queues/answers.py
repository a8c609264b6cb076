"""The shapes of answers about queues."""

from __future__ import annotations

from pydantic import BaseModel, Field

from scheduler.api.answers import Time


class Queue(BaseModel):
    """A queue, how many runs it has, and whether it is paused."""

    name: str
    queued: int = Field(description="Runs that wait, those that are to begin later included.")
    deferred: int = Field(description="Those of them that are to begin later.")
    running: int
    oldest_seconds: float | None = Field(description="How long the oldest run has waited that may start.")
    finished_last_hour: int = Field(
        description="Runs of the queue that ran and ended within the last hour, counted by five minutes."
    )
    is_paused: bool
    paused_at: Time | None
    paused_until: Time | None
    paused_by: str
    pause_reason: str
    keep_successes_days: float | None = Field(
        description="Enqueued runs that succeeded are kept for so many days. Null: as the settings say."
    )
    keep_failures_days: float | None = Field(description="The same for other enqueued runs.")


class Queues(BaseModel):
    results: list[Queue]
