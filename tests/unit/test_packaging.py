from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


class TestThePackage:
    def test_asks_for_what_the_platform_asks_for(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        lines = (ROOT / "requirements.txt").read_text().splitlines()
        required = {line.partition("#")[0].strip() for line in lines} - {""}

        assert set(project["dependencies"]) <= required

    def test_holds_every_kind_of_file_of_the_app(self) -> None:
        patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][
            "scheduler"
        ]
        app = ROOT / "scheduler"
        packed = {file for pattern in patterns for file in app.glob(pattern) if file.is_file()}
        data = {file for file in app.rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}

        assert data == packed
