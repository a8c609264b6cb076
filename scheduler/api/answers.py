"""The shapes of answers, for the OpenAPI schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from scheduler.api import policy_shapes
from scheduler.api.shapes import ActionWord, JobStateWord, NoteKindWord, RunKindWord, RunStateWord, SourceWord, ViaWord
from scheduler.api.trigger_shapes import AnyTrigger

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Url = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]


class ProblemDetail(BaseModel):
    pointer: str = Field(default_factory=str, description="Where in the body.")
    parameter: str = Field(default_factory=str, description="Which parameter.")
    code: str
    detail: str


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = Field(default_factory=str)
    errors: list[ProblemDetail] = Field(default_factory=list)


class LastRun(BaseModel):
    id: int
    state: RunStateWord
    scheduled_at: Time
    started_at: Time | None
    finished_at: Time | None


Policies: Any = policy_shapes.plain("StoredPolicies")


class Job(Policies):
    id: str
    name: str
    description: str
    tags: list[str]
    task: str
    args: Any
    kwargs: Any
    trigger: AnyTrigger | None = Field(description="Null if something was written past the API that cannot be read.")
    when: str | None = Field(description="The trigger in words.")
    state: JobStateWord
    state_reason: str
    reason_code: str
    reason_params: dict[str, Any]
    state_changed_at: Time | None
    state_changed_by: str
    paused_until: Time | None = Field(description="When a paused job resumes by itself.")
    source: SourceWord
    next_run_time: Time | None
    consecutive_failures: int
    last_run: LastRun | None
    version: int
    created_at: Time
    created_by: str
    updated_at: Time
    updated_by: str


class Jobs(BaseModel):
    results: list[Job]
    next: Url | None
    previous: Url | None


class Difference(BaseModel):
    name: str = Field(description="A field, or “kwargs.” and the name of one argument.")
    old: Any = Field(description="Secrets are masked.")
    new: Any


class Change(BaseModel):
    id: int
    job: str = Field(description="The id of the job, also when it was deleted.")
    job_name: str
    job_exists: bool
    version: int = Field(description="Of the job, after the change.")
    action: ActionWord
    actor: str
    via: ViaWord
    reason: str
    reason_code: str
    reason_params: dict[str, Any]
    restored_version: int | None
    changed_at: Time
    changes: list[Difference]


class Changes(BaseModel):
    results: list[Change]
    next: Url | None
    previous: Url | None


class NodeName(BaseModel):
    id: Uuid
    name: str | None


class Run(BaseModel):
    id: int
    job: str = Field(description="The id of the job, also when it was deleted. Empty: the run was enqueued.")
    job_name: str
    job_exists: bool
    task: str
    queue: str
    result_id: str | None = Field(description="Of an enqueued run: the same for all of its attempts.")
    kind: RunKindWord
    attempt: int
    state: RunStateWord
    reason: str
    reason_code: str
    reason_params: dict[str, Any]
    error: str | None
    executor: str
    priority: int
    held: bool
    rings: int = Field(description="Messages to the broker of its remote executor, such as celery:scrape.")
    rung_at: Time | None = Field(description="When the last of them was sent.")
    node: NodeName | None
    scheduled_at: Time
    due_at: Time
    expires_at: Time | None
    covers_from: Time | None
    coalesced: int
    previous: int | None
    requested_by: str
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    seconds: float | None = Field(description="How long it ran.")
    cancel_requested_at: Time | None
    output_dropped_at: Time | None
    taken_by: str | None = Field(description="The person who works on this failure.")
    notes: int = Field(description="The number of notes on it.")


class RunNote(BaseModel):
    id: int
    run: int
    kind: NoteKindWord
    text: str
    author: str
    via: ViaWord
    created_at: Time


class RunNotes(BaseModel):
    results: list[RunNote]


class RunDetail(Run):
    args: Any = Field(description="Null without the permission to view the output, as the next two.")
    kwargs: Any
    result: Any
    progress: Any


class Runs(BaseModel):
    results: list[Run]
    next: Url | None
    previous: Url | None


class RunText(BaseModel):
    run: int
    text: str
    lines: int = Field(description="In all, also those before the tail.")
    is_complete: bool = Field(description="Whether the run has ended, so that nothing more will come.")


class Preview(BaseModel):
    trigger: AnyTrigger = Field(description="As it would be stored.")
    when: str
    remarks: list[str] = Field(description="What somebody who knows other schedulers may have meant differently.")
    fire_times: list[Time]


class Tally(BaseModel):
    jobs_executed: int
    jobs_succeeded: int
    jobs_failed: int
    jobs_timed_out: int
    jobs_interrupted: int
    jobs_cancelled: int
    jobs_missed: int
    jobs_skipped: int
    run_seconds: float


class StatusMetrics(Tally):
    uptime_seconds: float
    last_execution_at: Time | None


class ExecutorQueue(BaseModel):
    executor: str
    queued: int
    running: int
    held: int
    oldest_seconds: float | None = Field(description="Age of the oldest run that waits for a worker.")
    oldest_held_seconds: float | None = Field(description="Age of the oldest run that waits for another of its job.")
    rung: int = Field(description="Queued runs of which the broker of a remote executor was told.")
    oldest_rung_seconds: float | None = Field(description="Age of the oldest of these messages.")
    paused: int = Field(description="The queued runs that wait in paused queues.")
    oldest_paused_seconds: float | None = Field(description="Age of the oldest of them that may start.")
    paused_queues: list[str] = Field(description="The names of these queues.")


class LivingNode(BaseModel):
    id: Uuid
    name: str
    state: str
    kind: str = Field(description="node, or the kind of remote executor that a worker serves.")
    is_alive: bool
    heartbeat_age_seconds: float
    uptime_seconds: float
    stuck: int
    executors: dict[str, int]
    brokers: dict[str, dict[str, str]] = Field(description="Brokers that refused its last messages: error and since.")
    busy: dict[str, int]
    backlog: int | None
    tick_seconds: float | None
    clock_skew_seconds: float | None
    time_zone_rules: str = Field(description="Release by which it computes, such as 2026c. Empty: unknown.")
    memory_bytes: int | None = Field(description="Resident memory of the node and its child processes.")
    processors: float | None = Field(description="Processors that they keep busy.")


class Trouble(BaseModel):
    check: str
    status: Literal["warn", "fail"]
    text: str


class SchedulerStatus(BaseModel):
    status: Literal["running", "degraded", "stopped", "disabled"]
    running: bool
    health: Literal["pass", "warn", "fail"]
    problems: list[Trouble] = Field(description="The checks of the health that warn or fail, failures first.")
    total_jobs: int
    jobs_by_state: dict[str, int]
    metrics: StatusMetrics
    nodes: list[LivingNode]
    queues: list[ExecutorQueue]
    due_jobs: int
    overdue_jobs: int
    max_overdue_seconds: float
    next_run_time: Time | None
    checked_at: Time
    jobs: list[Job]
    jobs_next: Url | None


class Node(BaseModel):
    id: Uuid
    name: str
    host: str
    pid: int
    version: str
    kind: str = Field(description="node, or the kind of remote executor that a worker serves.")
    time_zone_rules: str = Field(description="Release by which it computes, such as 2026c. Empty: unknown.")
    executors: dict[str, int]
    tasks: list[str]
    stuck: int
    state: str
    reason: str
    reason_code: str
    reason_params: dict[str, Any]
    drained_at: Time | None = Field(description="Since when it takes no more runs.")
    drained_by: str
    started_at: Time
    heartbeat_at: Time
    stopped_at: Time | None


class Nodes(BaseModel):
    results: list[Node]
