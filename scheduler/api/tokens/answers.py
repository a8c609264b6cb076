"""Answers about tokens of the API."""

from __future__ import annotations

from pydantic import BaseModel, Field

from scheduler.api.answers import Time


class Token(BaseModel):
    id: str
    created_at: Time
    expires_at: Time | None


class NewToken(Token):
    token: str = Field(description="Shown this once.")


class Tokens(BaseModel):
    results: list[Token]
