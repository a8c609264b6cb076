from __future__ import annotations

import re
from pathlib import Path

import pytest

import scheduler

SOURCES = sorted(
    path
    for path in Path(scheduler.__file__).parent.rglob("*.py")
    if "migrations" not in path.parts and path.name != "database.py"
)


class TestTheCode:
    @pytest.mark.parametrize(
        "pattern",
        [
            r"transaction\.atomic\(\)",
            r"from django\.db import .*\bconnection\b",
            r"connections\[['\"]",
            r"DEFAULT_DB_ALIAS",
        ],
    )
    def test_leaves_the_choice_of_the_database_to_the_routers(self, pattern: str) -> None:
        """``store.database`` asks them, and opens transactions with the isolation that the statements need."""
        found = [path.name for path in SOURCES if re.search(pattern, path.read_text())]

        assert found == []
