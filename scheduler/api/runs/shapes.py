"""The requests of clients about runs."""

from __future__ import annotations

from pydantic import Field

from scheduler.api.shapes import Body


class Taking(Body):
    text: str = Field(default="", max_length=2000, description="What you found out, for others.")


class RunNoteText(Body):
    text: str = Field(min_length=1, max_length=2000)
