"""Answers about templates and declared jobs, for the OpenAPI schema."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from scheduler.api.answers import Time


class TemplateVersion(BaseModel):
    number: int
    parameters: list[dict[str, Any]]
    body: dict[str, Any]
    note: str
    created_at: Time
    created_by: str


class Template(BaseModel):
    slug: str
    title: str
    description: str
    instances: int
    newest: TemplateVersion


class Templates(BaseModel):
    results: list[Template]


class FieldChange(BaseModel):
    old: Any
    new: Any


class FieldDrift(BaseModel):
    field: str
    declared: Any
    stored: Any = Field(description="A person's value, which stays.")


class NextRuns(BaseModel):
    before: list[Time] = Field(description="Empty: the job does not exist yet.")
    after: list[Time]


class PlanStep(BaseModel):
    kind: Literal["job", "calendar", "template", "alert_rule"]
    key: str
    action: Literal["create", "adopt", "update", "unchanged", "pause", "release", "deleted", "newer", "refused"]
    source: str
    origin: str
    job: str | None
    changes: dict[str, FieldChange]
    next_runs: NextRuns | None = Field(description="Null: they stay the same, or the job stays paused.")
    drift: list[FieldDrift]
    conflicts: list[str]
    renamed_from: str | None
    resumes: bool
    text: str = Field(description="Why nothing is done, or what is wrong.")


class PlanError(BaseModel):
    source: str
    origin: str
    error: str


class Plan(BaseModel):
    has_changes: bool
    steps: list[PlanStep]
    errors: list[PlanError]


class TemplateProposal(BaseModel):
    slug: str
    title: str
    description: str
    parameters: list[dict[str, Any]]
    body: dict[str, Any]


class DeclarationOfJob(BaseModel):
    key: str
    source: str = Field(description="The code, a file, or the slug of a template.")
    origin: str
    release: str
    is_declared: bool = Field(description="Whether the source still declares it.")
    synced_at: Time
    template: str | None
    version: int | None
    parameters: dict[str, Any] | None = Field(description="Of an instance. Secrets are masked.")
    kept: list[str] = Field(description="Fields whose stored value a person chose to keep.")
    drift: list[FieldDrift]
