"""Request bodies about templates and declared jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from scheduler.api.shapes import Body


class TemplateVersionCreation(Body):
    parameters: list[dict[str, Any]] = Field(
        default_factory=list, max_length=50, description="Objects with name, type, default, choices, minimum, maximum."
    )
    body: dict[str, Any] = Field(description="The definition of a job; {name} stands for a parameter.")
    note: str = Field(default="", max_length=500, description="The change and its reason.")


class TemplateCreation(TemplateVersionCreation):
    slug: str = Field(min_length=1, max_length=100, description="Letters, digits and hyphens.")
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=10_000)


class VersionPlan(Body):
    parameters: list[dict[str, Any]] = Field(default_factory=list, max_length=50)
    body: dict[str, Any] = Field(description="The definition of a job; {name} stands for a parameter.")
    overwrite: bool = Field(default=False, description="Also what people changed in an instance.")


class InstanceCreation(Body):
    key: str = Field(min_length=1, max_length=255, description="The id of the job.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Values by the parameter's name.")


class Upgrade(Body):
    version: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Null: the newest.")
    overwrite: bool = Field(default=False, description="Also write what people changed in an instance.")
    dry_run: bool = Field(default=False, description="Return the plan and change nothing.")


class InstanceRow(Body):
    key: str = Field(min_length=1, max_length=255)
    parameters: dict[str, Any] = Field(default_factory=dict)


class RowsSync(Body):
    rows: list[InstanceRow] = Field(max_length=10_000, description="All of them: what is missing is paused.")
    name: str = Field(
        default="api", pattern=r"^[a-z0-9][a-z0-9-]{0,49}$", description="Which set of rows; a job belongs to one."
    )
    dry_run: bool = Field(default=False, description="Return the plan and change nothing.")


class Synchronise(Body):
    prune: Literal["pause", "keep"] = "pause"
    adopt: bool = False
    recreate: bool = False
    rollback: bool = False
    overwrite: bool = False
    dry_run: bool = Field(default=False, description="Return the plan and change nothing.")


class DriftChoice(Body):
    fields: list[str] = Field(
        default_factory=list, max_length=100, description="Such as priority or kwargs.days. Empty: all that drifted."
    )
