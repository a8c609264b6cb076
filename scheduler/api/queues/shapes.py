"""Requests about queues and enqueued runs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from scheduler.api.shapes import Body, Instant


class Enqueueing(Body):
    """One call of a task. Its timeout, its retries and its further policies are those that the task declares."""

    args: list[Any] = Field(default_factory=list, max_length=100)
    kwargs: dict[str, Any] = Field(default_factory=dict)
    queue: str = Field(default="default", min_length=1, max_length=64)
    priority: int = Field(default=0, ge=-100, le=100)
    run_after: Instant | None = Field(default=None, description="It begins at this instant or later.")


class QueuePause(Body):
    reason: str = Field(default="", max_length=1000, description="Why, for those who look at the queue.")
    until: Instant | None = Field(default=None, description="It goes on then. Without: when somebody resumes it.")


class QueueRetention(Body):
    successes_days: float | None = Field(
        ge=0, le=36_500, description="For enqueued runs that succeeded. Null: as the settings say."
    )
    failures_days: float | None = Field(
        ge=0, le=36_500, description="For other enqueued runs. Null: as the settings say."
    )
