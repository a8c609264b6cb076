from __future__ import annotations

import re
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "CONTRIBUTING.md").read_text()


class TestThePageForContributors:
    def test_lists_every_command_of_make(self) -> None:
        commands = set(re.findall(r"^([a-z-]+):.*## ", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))

        assert set(re.findall(r"^\| `make ([a-z-]+)`", PAGE, re.MULTILINE)) == commands - {"words"}

    def test_names_modules_that_exist(self) -> None:
        paths = set(re.findall(r"`((?:scheduler|tests|openlearn|docs)/[\w./]+)`", PAGE)) - {
            "scheduler/store/sql/my_statement.sql"
        }

        assert [path for path in paths if not (CHECKOUT / path).exists()] == []
        assert len(paths) > 15


class TestTheChangelog:
    def test_has_each_section_once_and_a_line_for_each_change(self) -> None:
        unreleased = (CHECKOUT / "CHANGELOG.md").read_text().split("\n## ")[1]
        lines = [line for line in unreleased.splitlines()[1:] if line]

        assert re.findall(r"^### (\w+)$", unreleased, re.MULTILINE) == ["Added", "Changed", "Fixed"]
        assert [line for line in lines if not line.startswith(("### ", "- "))] == []
