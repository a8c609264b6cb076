"""Answers of actions on many."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from scheduler.api.answers import Time


class BulkResult(BaseModel):
    id: str
    ok: bool
    code: str | None
    detail: str | None


class BulkAnswer(BaseModel):
    action: str
    dry_run: bool
    matched: int
    done: int
    is_cut: bool = Field(description="More than 1,000 jobs match: ask again for the rest.")
    results: list[BulkResult]


class Refusal(BaseModel):
    id: Any
    name: str
    code: str
    text: str


class BulkProgress(BaseModel):
    """An action on many, which goes on by itself."""

    id: int
    subject: Literal["jobs", "runs", "backfill", "template"]
    action: str
    total: int = Field(description="Number of rows selected when it began.")
    done: int
    refused: int
    refusals: list[Refusal] = Field(description="Of the first 50 that were refused.")
    requested_by: str
    created_at: Time
    stop_requested_at: Time | None
    finished_at: Time | None
