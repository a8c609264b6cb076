"""Request bodies and queries about calendars."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from scheduler.api.shapes import Body, Query

Rule = Annotated[str, Field(max_length=2000)]
_RULES = (
    "One rule each: “sat-sun Weekend”, “2026-12-24..2027-01-01 Holidays”, “12-24 Christmas Eve”, "
    "“sun 02:00-04:00 Backup”, “holidays DE-BY”."
)


class CalendarCreation(Body):
    name: str = Field(max_length=255, description="Triggers use this name: lower-case letters, digits and hyphens.")
    title: str = Field(default="", max_length=1000)
    rules: list[Rule] = Field(max_length=50_000, description=_RULES)
    timezone: str = Field(default="", max_length=255, description="Leave empty to use the time zone of the trigger.")
    tags: list[str] = Field(
        default_factory=list, max_length=1000, description="It is a maintenance window for jobs with one of these tags."
    )
    during: Literal["skip", "once_afterwards"] = Field(
        default="skip", description="The handling of fire times in the window."
    )


class CalendarChange(Body):
    title: str | None = Field(default=None, max_length=1000)
    rules: list[Rule] | None = Field(default=None, max_length=50_000, description=_RULES)
    timezone: str | None = Field(default=None, max_length=255)
    tags: list[str] | None = Field(default=None, max_length=1000)
    during: Literal["skip", "once_afterwards"] | None = None
    version: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Refuse if somebody changed the calendar since this version."
    )


class CalendarFile(Body):
    file: str = Field(max_length=2_000_000, description="The text of an iCalendar file.")


class EntriesQuery(Query):
    since: datetime | None = Field(default=None, description="From this instant on. Default: now.")
    limit: int = Field(default=20, ge=1, le=366)
