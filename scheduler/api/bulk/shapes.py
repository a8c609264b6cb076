"""The requests of clients for actions on many runs, and for backfills."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scheduler.api.shapes import Argument, Body, Instant, Log, RunKindWord, RunStateWord


class BackfillWindow(Body):
    since: Instant
    until: Instant


class RunSelection(Body):
    state: list[RunStateWord] = Field(default_factory=list, max_length=9)
    kind: list[RunKindWord] = Field(default_factory=list, max_length=4)
    job: str = Field(default="", max_length=255)
    name: str = Field(default="", max_length=255, description="Part of the name, the id or the task of the job.")
    task: str = Field(default="", max_length=255)
    executor: str = Field(default="", max_length=64)
    queue: str = Field(default="", max_length=64, description="The name of a queue.")
    tag: str = Field(default="", max_length=50, description="A tag that the job has now.")
    error: str = Field(default="", max_length=255, description="Part of the error.")
    argument: str = Argument
    log: str = Log
    since: Instant | None = None
    until: Instant | None = None


class BulkRuns(Body):
    """Either ids, or a filter that names something."""

    action: Literal["cancel", "retry", "delete"]
    ids: list[int] = Field(default_factory=list, max_length=10_000)
    filter: RunSelection | None = None
