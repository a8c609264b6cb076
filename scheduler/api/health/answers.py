"""Answers of the health checks."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from scheduler.api.answers import Time


class HealthCheck(BaseModel):
    name: str
    status: Literal["pass", "warn", "fail"]
    text: str | None
    value: float | None
    limit: float | None
    """The maximum of the value, or the minimum number of nodes."""

    unit: Literal["", "s"]


class Health(BaseModel):
    status: Literal["pass", "warn", "fail"]
    connection_valid: bool
    table_exists: bool
    job_count: int | None
    error: str | None
    checked_at: Time | None
    checks: list[HealthCheck]


class Live(BaseModel):
    status: Literal["pass"]
