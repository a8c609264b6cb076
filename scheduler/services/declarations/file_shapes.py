"""The shape of a file of declarations. Its JSON Schema is published as ``docs/jobs-file.schema.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from scheduler.core.definition import POLICIES
from scheduler.services.alerts import rules


class _Merged(BaseModel):
    """Fields of every entry about the merge with changes by people."""

    model_config = ConfigDict(extra="forbid")

    on_conflict: Annotated[
        Literal["keep", "declared"],
        Field(description="Whose value counts where the file and a person both changed a field."),
    ] = "keep"


class _Entry(BaseModel):
    """One job of a file."""

    model_config = ConfigDict(extra="forbid")

    task: Annotated[str, Field(min_length=1, description="The name of a registered task.")]
    trigger: Annotated[
        str | dict[str, Any], Field(description="A cron expression of five or six fields, or a trigger as an object.")
    ]
    timezone: Annotated[str | None, Field(description="The time zone of a cron expression, e.g. Europe/Berlin.")] = None
    args: Annotated[list[Any] | None, Field(description="Positional arguments of the task.")] = None
    kwargs: Annotated[dict[str, Any] | None, Field(description="Arguments of the task by name.")] = None
    name: Annotated[str | None, Field(description="The name that people see. Default: the key.")] = None
    description: Annotated[str | None, Field(description="What the job is for, and what to do when it fails.")] = None
    tags: Annotated[list[str] | None, Field(description="For filtering.")] = None
    previous_keys: Annotated[list[str], Field(description="Former keys: the job is kept and renamed.")] = []
    on_conflict: Annotated[
        Literal["keep", "declared"],
        Field(description="Whose value counts where the file and a person both changed a field."),
    ] = "keep"


_Job = create_model("Job", __base__=_Entry, **dict.fromkeys(POLICIES, (Any, None)))  # type: ignore[call-overload]


class InstanceEntry(_Merged):
    """One instance of a template: a job."""

    template: Annotated[str, Field(min_length=1, description="The slug of a template, of this file or another one.")]
    version: Annotated[int | None, Field(ge=1, description="Its version. Default: the newest.")] = None
    parameters: Annotated[dict[str, Any], Field(description="The values of its parameters.")] = {}
    previous_keys: Annotated[list[str], Field(description="Former keys: the job is kept and renamed.")] = []


class _Template(_Merged):
    """One template: a job definition with parameters."""

    title: Annotated[str | None, Field(max_length=200, description="The name that people see.")] = None
    description: Annotated[str, Field(max_length=10_000, description="What it is for.")] = ""
    parameters: Annotated[
        list[dict[str, Any]],
        Field(description="Objects with name, type, title, description, default, choices, minimum and maximum."),
    ] = []
    body: Annotated[dict[str, Any], Field(description="A job definition; {name} stands for a parameter.")]


class _Calendar(_Merged):
    """One calendar. With tags it is a maintenance window."""

    title: Annotated[str, Field(max_length=200, description="The name that people see.")] = ""
    rules: Annotated[str | list[str], Field(description="Its days and times, one rule a line.")]
    timezone: Annotated[str, Field(description="Its time zone. Empty: that of the trigger.")] = ""
    tags: Annotated[list[str], Field(description="Jobs with one of these tags follow it as a maintenance window.")] = []
    during: Annotated[str, Field(description="What becomes of fire times in a maintenance window.")] = ""


class _RuleEntry(_Merged):
    """One alert rule."""

    kind: Annotated[str, Field(description="What it watches, such as failing or late.")]
    channels: Annotated[list[str], Field(description="The names of the channels that are told.")] = []
    escalation_channels: Annotated[list[str], Field(description="The names of the channels that are told later.")] = []


_Rule = create_model(  # type: ignore[call-overload]
    "Rule",
    __base__=_RuleEntry,
    **{name: (Any, None) for name in rules.FIELDS if name not in {"name", *_RuleEntry.model_fields}},
)


class File(BaseModel):
    """The declared objects of a file, by key."""

    model_config = ConfigDict(extra="forbid")

    jobs: dict[str, _Job] = {}  # type: ignore[valid-type]
    calendars: dict[str, _Calendar] = {}
    templates: dict[str, _Template] = {}
    instances: dict[str, InstanceEntry] = {}
    alert_rules: dict[str, _Rule] = {}  # type: ignore[valid-type]

    @field_validator("*", mode="before")
    @classmethod
    def _empty(cls, section: Any) -> Any:
        """Read a heading without entries, as it stays behind when the last one is deleted."""
        return {} if section is None else section


SECTIONS = {"calendar": "calendars", "template": "templates", "alert_rule": "alert_rules"}
"""The section of a file for each kind of object beside jobs."""
