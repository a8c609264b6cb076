from __future__ import annotations

import ast
import re
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

    def test_names_the_pythons_and_djangos_that_are_tried(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        noxfile = ast.parse((ROOT / "noxfile.py").read_text())
        tried = {
            target.id: ast.literal_eval(node.value)
            for node in noxfile.body
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
            if target.id in ("PYTHONS", "DJANGOS")
        }

        named, djangos = (
            [name.removeprefix(prefix) for name in project["classifiers"] if name.startswith(prefix) and "." in name]
            for prefix in ("Programming Language :: Python :: ", "Framework :: Django :: ")
        )
        assert list(tried["PYTHONS"]) == named
        assert list(tried["DJANGOS"]) == djangos
        assert project["requires-python"] == f">={named[0]}"
        assert f"django>={tried['DJANGOS'][0]},<7" in project["dependencies"]

    def test_has_an_extra_for_each_optional_import_of_the_kit(self) -> None:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        developed = (ROOT / "requirements-dev.txt").read_text().splitlines()

        assert set(extras["testing"]) <= {line.partition("#")[0].strip() for line in developed}


class TestTheFilesOfPages:
    MOST_BYTES = 40_000

    def test_are_small(self) -> None:
        files = [*(ROOT / "scheduler/static").rglob("*.css"), *(ROOT / "scheduler/static").rglob("*.js")]

        assert sum(file.stat().st_size for file in files) < self.MOST_BYTES

    def test_style_what_exists(self) -> None:
        style = (ROOT / "scheduler/static/scheduler/scheduler.css").read_text()
        makers = [file for folder in ("scheduler", "openlearn", "templates") for file in (ROOT / folder).rglob("*")]
        made = "\n".join(file.read_text() for file in makers if file.suffix in (".html", ".py", ".js"))

        # The tones are put together: “ols-” and the word of a state.
        tones = {"ok", "bad", "warn", "info", "mute"}
        styled = set(re.findall(r"\.ols-([a-z-]+)", style)) - tones
        assert {name for name in styled if not re.search(rf"\bols-{name}\b", made)} == set()
