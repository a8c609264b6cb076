"""Answers about calendars, for the OpenAPI schema."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from scheduler.api.answers import Time


class Calendar(BaseModel):
    name: str
    title: str
    rules: list[str]
    timezone: str
    tags: list[str]
    during: Literal["skip", "once_afterwards"]
    holidays: int = Field(description="The number of holidays of its countries.")
    digest: str = Field(description="Of all that fire times depend on.")
    version: int
    created_at: Time
    created_by: str
    updated_at: Time
    updated_by: str


class Calendars(BaseModel):
    results: list[Calendar]


class Entry(BaseModel):
    begin: Time
    end: Time = Field(description="Not included.")
    title: str


class Entries(BaseModel):
    results: list[Entry]


class CalendarRules(BaseModel):
    rules: list[str]
