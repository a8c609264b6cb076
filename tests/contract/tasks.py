"""Functions that the contract's jobs run."""

from __future__ import annotations

from scheduler import task


@task(name="contract.first")
def first() -> None:
    """Do nothing."""


@task(name="contract.second")
def second() -> None:
    """Do nothing either."""


@task(name="contract.add")
def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b


@task(name="contract.echo")
def echo(text: str) -> str:
    """Return what it was given."""
    return text


def unregistered() -> None:
    """Not a task."""
