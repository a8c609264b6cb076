from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.calendars import Calendars, in_memory


@pytest.fixture
def calendars() -> Iterator[Calendars]:
    with in_memory() as source:
        yield source
