"""Fixtures that every kind of test shares."""

from collections.abc import Iterator

import pytest
from django.utils import translation

from scheduler.contrib.pytest_plugin import _scheduler_reset as _scheduler_reset
from scheduler.contrib.pytest_plugin import scheduler_eager as scheduler_eager


@pytest.fixture(autouse=True)
def the_language_of_the_project() -> Iterator[None]:
    """A request in another language leaves its thread in it."""
    yield
    translation.deactivate()
