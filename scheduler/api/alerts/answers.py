"""Responses about rules, channels and incidents, and bodies of webhooks, for the OpenAPI schema."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from scheduler.api.alerts.shapes import KindWord, ScopeWord, SeverityWord
from scheduler.api.answers import Time, Url


class Incident(BaseModel):
    id: int
    rule: int | None = Field(description="Null: it was deleted.")
    rule_name: str
    kind: KindWord
    severity: SeverityWord
    subject: str = Field(description="“job:” and an id, “task:” with a queue and a task, or “system:” and a check.")
    job: str | None
    task: str | None = Field(description="The task whose enqueued runs it is about.")
    job_name: str | None
    what: str
    detail: str = Field(description="First line of the error.")
    count: int
    measured: float | None
    run: int | None
    opened_at: Time
    last_at: Time
    closed_at: Time | None
    closed_because: (
        Literal[
            "recovered",
            "paused",
            "resumed",
            "finished",
            "edited",
            "deleted",
            "rule_changed",
            "rule_deleted",
            "closed_by_hand",
        ]
        | None
    )
    closed_by: str
    acknowledged_at: Time | None
    acknowledged_by: str
    snoozed_until: Time | None
    note: str
    url: Url | None = Field(description="Null: SCHEDULER_SITE_URL is not set.")


class Incidents(BaseModel):
    results: list[Incident]
    next: Url | None
    previous: Url | None


class Rule(BaseModel):
    id: int
    name: str
    description: str
    enabled: bool
    severity: SeverityWord
    kind: KindWord
    scope: ScopeWord
    target: str
    threshold: int | None
    seconds: float | None
    factor: float | None
    samples: int | None
    path: str
    operator: str
    value: Any
    channels: list[int]
    escalate_after: float | None
    escalation_channels: list[int]


class Rules(BaseModel):
    results: list[Rule]


class RulePreview(BaseModel):
    incidents: int | None = Field(description="In the last 7 days. Null: the history does not tell.")
    jobs: int = Field(description="That it watches now.")


class Channel(BaseModel):
    id: int
    name: str
    kind: str
    config: dict[str, Any] = Field(description="Secrets are masked.")
    enabled: bool
    per_minute: int
    zone: str
    language: str
    quiet_from: str | None
    quiet_until: str | None
    digest: str
    digest_at: str
    tested_at: Time | None
    failing_since: Time | None
    last_error: str
    last_sent_at: Time | None
    sent: int
    failed: int


class Channels(BaseModel):
    results: list[Channel]


class ChannelAnswer(BaseModel):
    answer: str = Field(description="Of the receiver.")


class Switch(BaseModel):
    id: int
    name: str
    url: str = Field(description="Always masked.")
    job: str | None = Field(description="Null: it reports the health.")
    enabled: bool
    every_seconds: float
    requested_at: Time | None
    answer: str = Field(description="Of the last request: the status, or the error.")


class Switches(BaseModel):
    results: list[Switch]


class WebhookData(BaseModel):
    notification: str = Field(description="Its id, as in the header webhook-id.")
    rule: str = Field(description="Its name. Empty in digests and tests.")
    severity: SeverityWord
    title: str
    environment: str = Field(description="SCHEDULER_ENVIRONMENT.")
    version: str = Field(description="The release of the scheduler.")
    count: int = Field(description="Incidents that it is about.")
    open: int = Field(description="Of these, how many are open now.")
    incidents: list[Incident] = Field(description="The first 20 of them.")
    text: str = Field(default="", description="Of a digest or a test.")


class WebhookMessage(BaseModel):
    type: Literal[
        "incident.opened",
        "incident.changed",
        "incident.reminder",
        "incident.escalated",
        "incident.recovered",
        "alerts.digest",
        "alerts.test",
    ]
    timestamp: Time = Field(description="When it was created.")
    data: WebhookData


class Mute(BaseModel):
    job: str
    until: Time
    muted_by: str
    reason: str
