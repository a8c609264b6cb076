"""Requests about rules, channels and incidents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from scheduler.api.shapes import LARGEST_ID, Body, Instant, Paging

KindWord = Literal["failing", "broken", "late", "deadline", "silent", "slow", "dropped", "result", "system"]
ScopeWord = Literal["everything", "tag", "task", "queue", "job"]
SeverityWord = Literal["info", "warning", "critical"]
StateWord = Literal["open", "closed", "unacknowledged"]


class IncidentsQuery(Paging):
    state: StateWord | None = None
    job: str = Field(default="", max_length=255, description="Id of a job, also of one that was deleted.")
    rule: int | None = Field(default=None, ge=1, le=LARGEST_ID)
    kind: KindWord | None = None
    severity: SeverityWord | None = None
    since: Instant | None = Field(default=None, description="Opened then or later.")


class Noted(Body):
    note: str = Field(default="", max_length=2000, description="Kept with the incident.")


class Snoozing(Noted):
    until: Instant = Field(description="Until when reminders and escalation wait.")


class Muting(Body):
    until: Instant = Field(description="Until when nobody is told of the job.")
    reason: str = Field(default="", max_length=2000)


class RuleChange(Body):
    """Omitted members are unchanged."""

    name: str = Field(default="", min_length=1, max_length=100)
    description: str = Field(default="", max_length=10_000)
    enabled: bool = True
    kind: KindWord = "failing"
    scope: ScopeWord = "everything"
    target: str = Field(
        default="", max_length=255, description="The tag, the name of the task or the queue, or the id of the job."
    )
    severity: SeverityWord = "warning"
    threshold: int | None = Field(default=None, ge=1, le=1_000_000, description="Of failing, dropped and result.")
    seconds: float | None = Field(
        default=None, ge=1, le=31_622_400, description="Of late, deadline, silent, slow and dropped."
    )
    factor: float | None = Field(default=None, ge=1.1, le=1000, description="Of slow: times the usual run time.")
    samples: int | None = Field(default=None, ge=2, le=1000, description="Of slow: runs before that is known.")
    path: str = Field(default="", max_length=255, description="Of result: names with dots between them.")
    operator: Literal["", "=", "!=", "<", "<=", ">", ">="] = ""
    value: str | int | float | bool | None = Field(default=None, description="Of result: compared with what is there.")
    channels: list[int] = Field(default_factory=list, max_length=100, description="Ids of channels.")
    escalate_after: float | None = Field(
        default=None, ge=1, le=31_622_400, description="Seconds without an acknowledgement."
    )
    escalation_channels: list[int] = Field(default_factory=list, max_length=100)


class RuleCreation(RuleChange):
    name: str = Field(min_length=1, max_length=100)
    kind: KindWord


class RuleQuestion(RuleChange):
    """A rule that does not have to exist."""

    kind: KindWord


class ChannelChange(Body):
    """Omitted members are unchanged."""

    name: str = Field(default="", min_length=1, max_length=100)
    kind: str = Field(default="", min_length=1, max_length=64, description="mail, webhook, apprise, or an own one.")
    config: dict[str, Any] = Field(
        default_factory=dict, description="What its kind asks for. A masked secret that comes back stays."
    )
    enabled: bool = True
    per_minute: int = Field(default=30, ge=1, le=10_000)
    zone: str = Field(default="UTC", max_length=64)
    language: str = Field(default="", max_length=10)
    quiet_from: str | None = Field(default=None, pattern=r"^[0-2][0-9]:[0-5][0-9]$")
    quiet_until: str | None = Field(default=None, pattern=r"^[0-2][0-9]:[0-5][0-9]$")
    digest: Literal["", "daily", "weekly"] = ""
    digest_at: str = Field(default="08:00", pattern=r"^[0-2][0-9]:[0-5][0-9]$")


class ChannelCreation(ChannelChange):
    name: str = Field(min_length=1, max_length=100)
    kind: str = Field(min_length=1, max_length=64)


class SwitchChange(Body):
    """Omitted members are unchanged."""

    name: str = Field(default="", min_length=1, max_length=100)
    url: str = Field(
        default="", max_length=1000, description="“/start” and “/fail” are added to it. A mask that comes back stays."
    )
    job: str | None = Field(
        default=None, max_length=255, description="Id of the job that it reports. Null: the health."
    )
    every_seconds: float = Field(default=60.0, ge=10, le=86_400)
    enabled: bool = True


class SwitchCreation(SwitchChange):
    name: str = Field(min_length=1, max_length=100)
    url: str = Field(min_length=1, max_length=1000)
