"""Answers about figures, tasks and the API itself."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from scheduler.api.answers import StatusMetrics, Tally, Time, Url


class JobMetrics(Tally):
    job: str
    name: str | None
    last_finished_at: Time


class Bucket(Tally):
    start: Time


class Window(BaseModel):
    since: Time
    until: Time
    totals: Tally
    jobs: list[JobMetrics]
    jobs_cut: bool
    series: list[Bucket] | None


class Metrics(StatusMetrics):
    window: Window


class TaskDescription(BaseModel):
    name: str
    description: str
    documentation: str
    executor: str
    timeout_seconds: float | None
    idempotent: bool
    rate: str | None = Field(description="The limit of its starts by a key, such as “host:{host} 1/s”.")
    concurrency: str | None = Field(description="The limit of its runs at once by a key, such as “host:{host} 2”.")
    arguments: dict[str, Any] = Field(description="JSON Schema of the arguments.")
    defaults: dict[str, Any] = Field(description="Policies of a job that says nothing else.")


class Tasks(BaseModel):
    results: list[TaskDescription]


class ProblemType(BaseModel):
    code: str
    title: str


class Resource(BaseModel):
    name: str
    href: Url


class Index(BaseModel):
    version: str
    resources: list[Resource]
    schema_: Url = Field(serialization_alias="schema")
