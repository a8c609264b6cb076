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


class PlanStep(BaseModel):
    key: str
    action: Literal["create", "adopt", "update", "unchanged", "pause", "release", "deleted", "newer", "refused"]
    source: str
    origin: str
    job: str | None
    changes: dict[str, FieldChange]
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
