"""The shapes of requests: bodies are strict JSON, query parameters are texts that are read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from scheduler.api import policy_shapes
from scheduler.api.pagination import DEFAULT_LIMIT, MOST_ROWS
from scheduler.api.trigger_shapes import AnyTrigger

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
LARGEST_ID = 2**63 - 1

JobStateWord = Literal["active", "paused", "finished", "broken"]
RunStateWord = Literal[
    "queued", "running", "succeeded", "failed", "timed_out", "cancelled", "interrupted", "missed", "skipped"
]
NoteKindWord = Literal["note", "taken", "released"]
RunKindWord = Literal["scheduled", "manual", "retry", "recovery", "enqueued"]
SourceWord = Literal["admin", "api", "code"]
ActionWord = Literal[
    "created",
    "edited",
    "paused",
    "resumed",
    "deleted",
    "adopted",
    "restored",
    "broken",
    "healed",
    "finished",
    "initial",
]
ViaWord = Literal["admin", "api", "command", "code", "scheduler", "database"]


def _instant(value: Any) -> datetime:
    if isinstance(value, str) and _INSTANT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("instant", "not an instant; write it as 2027-03-01T09:00:00+01:00, with an offset")


Instant = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]

Arguments = Annotated[dict[str, Any], Field(description="Arguments by name. A masked secret that comes back stays.")]
Reason: Any = Field(default="", max_length=1000, description="Why, for the history of the job.")
Id = Annotated[str, Field(min_length=1, max_length=255)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]


class Body(BaseModel):
    """A JSON object whose members are all known."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


Policies: Any = policy_shapes.validated("Policies", base=Body)


class JobChange(Policies):
    """Omitted members are unchanged."""

    reason: str = Reason

    name: str = Field(default_factory=str, min_length=1, max_length=255)
    description: str = Field(default_factory=str, max_length=10_000)
    tags: list[Tag] = Field(default_factory=list, max_length=20, description="For filtering.")
    task: Id = Field(default_factory=str)
    args: list[Any] = Field(default_factory=list, max_length=1000)
    kwargs: Arguments = Field(default_factory=dict)
    trigger: AnyTrigger = Field(default_factory=dict)


class JobCreation(JobChange):
    """Policies that are not given come from the task and the settings, the name from the id."""

    id: Id | None = Field(default=None, description="Chosen by the server if it is not given.")
    task: Id
    trigger: AnyTrigger
    paused: bool = False


class Reasoned(Body):
    reason: str = Reason


class Restoring(Reasoned):
    change: int = Field(ge=1, le=LARGEST_ID, description="After which change of its history the job was as wanted.")


class Pausing(Reasoned):
    until: Instant | None = Field(default=None, description="When it resumes by itself. Not given: when it is resumed.")


class RunRequest(Body):
    kwargs: Arguments | None = Field(default=None, description="In place of the job's, for this run.")


class Cloning(Body):
    id: Id | None = None
    name: str | None = Field(default=None, min_length=1, max_length=255)
    paused: bool = Field(
        default=True, description="Not given: true. A copy does not run before somebody has looked at it."
    )


class TriggerQuestion(Body):
    trigger: AnyTrigger
    count: int = Field(default=8, ge=1, le=100, description="How many fire times. Not given: 8.")
    after: Instant | None = None


class JobSelection(Body):
    state: list[JobStateWord] = Field(default_factory=list, max_length=4)
    task: list[Id] = Field(default_factory=list, max_length=100)
    executor: list[Id] = Field(default_factory=list, max_length=100)
    tag: list[Tag] = Field(default_factory=list, max_length=20, description="All of these.")
    source: list[SourceWord] = Field(default_factory=list, max_length=3)
    last_outcome: list[RunStateWord] = Field(default_factory=list, max_length=9)
    failing: bool = False
    drift: bool = False
    undeclared: bool = False
    q: str = Field(default="", max_length=255)


class Bulk(Body):
    """Either ids, or a filter that names something."""

    action: Literal["pause", "resume", "run", "delete", "add_tags", "remove_tags"]
    ids: list[Id] = Field(default_factory=list, max_length=1000)
    filter: JobSelection | None = None
    dry_run: bool = False
    reason: str = Reason
    until: Instant | None = Field(default=None, description="When the pause ends by itself.")
    tags: list[Tag] = Field(default_factory=list, max_length=20, description="To add or to remove.")


class Edit(Body):
    """The same edit of many jobs. Members that are left out stay as they are."""

    timezone: str | None = Field(default=None, max_length=64, description="Of jobs whose trigger follows a zone.")
    interval_seconds: float | None = Field(default=None, gt=0, description="Of jobs that run at an interval.")
    timeout: float | None = Field(default=None, gt=0, le=31_536_000)
    executor: str | None = Field(default=None, min_length=1, max_length=64)
    add_tags: list[Tag] = Field(default_factory=list, max_length=20)
    remove_tags: list[Tag] = Field(default_factory=list, max_length=20)


class BulkJobs(Body):
    """Either ids, or a filter that names something."""

    action: Literal["pause", "resume", "run", "delete", "add_tags", "remove_tags", "clone", "edit"]
    ids: list[Id] = Field(default_factory=list, max_length=10_000)
    filter: JobSelection | None = None
    reason: str = Reason
    until: Instant | None = Field(default=None, description="When the pause ends by itself.")
    tags: list[Tag] = Field(default_factory=list, max_length=20, description="To add or to remove.")
    changes: Edit | None = Field(default=None, description="With the action edit.")


Argument = Field(
    default="",
    max_length=255,
    description="Part of an argument, or “name=value”. Needs the permission to view the output of runs.",
)
Log = Field(default="", max_length=255, description="Part of the log. Needs the permission to view the output of runs.")


class TokenCreation(Body):
    days: int = Field(default=90, ge=1, le=3650, description="How long the token is good for. Not given: 90.")


class Query(BaseModel):
    """Query parameters. Unknown ones are rejected."""

    model_config = ConfigDict(extra="forbid")


def _repeatable(description: str) -> Any:
    return Field(default_factory=list, max_length=50, description=description, json_schema_extra={"repeatable": True})


class Nothing(Query):
    """No parameters."""


class Deletion(Query):
    reason: str = Reason


class Paging(Query):
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MOST_ROWS)
    cursor: str = Field(default="", max_length=2000, description="From “next” or “previous” of another page.")


class JobsQuery(Paging):
    state: list[JobStateWord] = _repeatable("Any of these states.")
    task: list[Id] = _repeatable("Any of these tasks.")
    executor: list[Id] = _repeatable("Any of these executors.")
    tag: list[Tag] = _repeatable("All of these tags.")
    source: list[SourceWord] = _repeatable("Where it was created.")
    last_outcome: list[RunStateWord] = _repeatable("State of its newest run.")
    broken: Literal["true", "false"] | None = Field(default=None, description="Only broken jobs, or only others.")
    failing: Literal["true", "false"] = Field(default="false", description="Only jobs with failures in a row.")
    drift: Literal["true", "false"] = Field(default="false", description="Only declared jobs that a person changed.")
    undeclared: Literal["true", "false"] = Field(
        default="false", description="Only jobs that are paused because their source no longer declares them."
    )
    q: str = Field(default="", max_length=255, description="Part of the name, the id or the task.")
    order: Literal["id", "-id", "name", "-name", "next_run_time", "-next_run_time", "last_run", "-last_run"] = "id"


class RunsOfJobQuery(Paging):
    state: list[RunStateWord] = _repeatable("Any of these states.")
    kind: list[RunKindWord] = _repeatable("Any of these kinds.")
    reason_code: list[str] = _repeatable("Any of these reasons: the codes that runs have as “reason_code”.")
    error: str = Field(default="", max_length=255, description="Part of the error.")
    argument: str = Argument
    log: str = Log
    since: Instant | None = Field(default=None, description="Entered in the ledger at this instant or later.")
    until: Instant | None = Field(default=None, description="Entered in the ledger before this instant.")


class RunsQuery(RunsOfJobQuery):
    job: str = Field(default="", max_length=255)
    name: str = Field(default="", max_length=255, description="Part of the name, the id or the task of the job.")
    task: str = Field(default="", max_length=255)
    queue: str = Field(default="", max_length=64)
    executor: str = Field(default="", max_length=64)
    tag: str = Field(default="", max_length=50, description="A tag that the job has now.")
    node: UUID | None = Field(default=None, description="Id of a node.")


class ChangesOfJobQuery(Paging):
    actor: str = Field(default="", max_length=150, description="Who.")
    action: list[ActionWord] = _repeatable("Any of these actions.")
    via: list[ViaWord] = _repeatable("Through any of these.")
    since: Instant | None = Field(default=None, description="At this instant or later.")
    until: Instant | None = Field(default=None, description="Before this instant.")


class ChangesQuery(ChangesOfJobQuery):
    job: str = Field(default="", max_length=255, description="Id of a job, also of one that was deleted.")


class RunQuery(Query):
    wait: float | None = Field(
        default=None, ge=0, le=30, description="Answer when the run has ended, at the latest after so many seconds."
    )


class TextQuery(Query):
    tail: int | None = Field(default=None, ge=1, le=10_000, description="Only so many lines from the end.")


class NextQuery(Query):
    count: int = Field(default=8, ge=1, le=100)


class MetricsQuery(Query):
    since: Instant | None = Field(default=None, description="Cut to the hour. Default: 24 hours before the end.")
    until: Instant | None = None
    bucket: Literal["hour", "day"] | None = Field(default=None, description="Give a series by hour or day as well.")
    job: str = Field(default="", max_length=255)
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MOST_ROWS, description="Most jobs in the answer.")


class NodesQuery(Query):
    state: list[Literal["running", "stopping", "stopped", "lost"]] = _repeatable("Any of these states.")
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MOST_ROWS)
