"""
The shapes of triggers for the OpenAPI schema: one for each type, told apart by ``type``.

They only describe: ``core/triggers`` reads what arrives, and says what is wrong with it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType

_WALL = "A date and a time of day on the clocks of the timezone, 2027-03-01T09:00:00; or an instant with an offset."


class _Trigger(BaseModel):
    model_config = ConfigDict(extra="forbid")

    timezone: str | None = Field(
        default_factory=str, description="An IANA name or an offset such as +02:00. Not given: the project's TIME_ZONE."
    )
    start_at: str | None = Field(default_factory=str, description=f"No fire time before it. {_WALL}")
    end_at: str | None = Field(default_factory=str, description=f"No fire time after it. {_WALL}")
    jitter_seconds: int | None = Field(
        default_factory=int, ge=0, le=86_400, description="How far at most a run is delayed at random."
    )
    only_on: list[str] | None = Field(
        default_factory=list,
        max_length=10,
        description="Names of calendars: it fires on their days. Only of a whole trigger.",
    )
    not_on: list[str] | None = Field(
        default_factory=list, max_length=10, description="Names of calendars: it does not fire on their days."
    )
    otherwise: Literal["skip", "next_day", "previous_day"] | None = Field(
        default_factory=lambda: None, description="The handling of a fire time that its calendars leave out."
    )


class CronFields(BaseModel):
    """APScheduler's language: all must match, Monday is 0."""

    model_config = ConfigDict(extra="forbid")

    year: str | int | None = Field(default_factory=str)
    month: str | int | None = Field(default_factory=str)
    day: str | int | None = Field(default_factory=str)
    week: str | int | None = Field(default_factory=str)
    day_of_week: str | int | None = Field(default_factory=str)
    hour: str | int | None = Field(default_factory=str)
    minute: str | int | None = Field(default_factory=str)
    second: str | int | None = Field(default_factory=str)


class CronTrigger(_Trigger):
    """As crontab writes it: either an expression or fields."""

    type: Literal["cron"]
    expression: str | None = Field(default_factory=str, examples=["*/15 9-17 * * mon-fri"])
    fields: CronFields | None = Field(default_factory=CronFields)


class IntervalTrigger(_Trigger):
    """Every so much time, whatever clocks show."""

    type: Literal["interval"]
    weeks: int | None = Field(default_factory=int, ge=0)
    days: int | None = Field(default_factory=int, ge=0)
    hours: int | None = Field(default_factory=int, ge=0)
    minutes: int | None = Field(default_factory=int, ge=0)
    seconds: float | None = Field(default_factory=float, ge=0)


class DateTrigger(_Trigger):
    """Once. Without a timezone it has the offset that run_at is written with."""

    type: Literal["date"]
    run_at: str = Field(description=_WALL)


class CalendarTrigger(_Trigger):
    """Every so many years, months, weeks and days from the date of start_at, at a time of day."""

    type: Literal["calendar"]
    years: int | None = Field(default_factory=int, ge=0)
    months: int | None = Field(default_factory=int, ge=0)
    weeks: int | None = Field(default_factory=int, ge=0)
    days: int | None = Field(default_factory=int, ge=0)
    at: str | None = Field(default_factory=str, description="02:30 or 02:30:15. Not given: midnight.")


class OrTrigger(_Trigger):
    """When any of them fires. Without a timezone it has that of the first one."""

    type: Literal["or"]
    triggers: list[Trigger] = Field(min_length=1, max_length=20)


class AndTrigger(_Trigger):
    """When all of them fire at the same instant. Without a timezone it has that of the first one."""

    type: Literal["and"]
    triggers: list[Trigger] = Field(min_length=1, max_length=20)


Trigger = TypeAliasType(
    "Trigger",
    Annotated[
        CronTrigger | IntervalTrigger | DateTrigger | CalendarTrigger | OrTrigger | AndTrigger,
        Field(discriminator="type", description="When a job fires."),
    ],
)

OrTrigger.model_rebuild()
AndTrigger.model_rebuild()


class _Described:
    """An object that is passed on as it is, and described as any of the triggers."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(handler(TypeAdapter[Any](Trigger).core_schema))


AnyTrigger = Annotated[dict[str, Any], _Described]
