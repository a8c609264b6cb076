"""A user's type checker knows the package: both common ones read ``tests/typing`` as a project of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
CODE = CHECKOUT / "tests/typing"
FILES = sorted(file for file in CODE.glob("*.py") if file.name != "__init__.py")


def marked(file: Path) -> set[int]:
    """Return the numbers of the lines that are to be rejected."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}


def rejected_by_mypy(files: list[Path], folder: Path) -> dict[Path, set[int]]:
    settings = folder / "mypy.ini"
    settings.write_text("[mypy]\nstrict = True\n")
    # The package is looked at as an installed one: only its interface counts, and its own errors are its own.
    options = ["--config-file", settings, "--cache-dir", folder / "cache", "--follow-imports", "silent"]
    done = call("mypy", *options, "--no-error-summary", *files)
    found: dict[Path, set[int]] = {}
    for name, number in re.findall(r"^(.+?):(\d+): error:", done, re.MULTILINE):
        found.setdefault((CHECKOUT / name).resolve(), set()).add(int(number))
    return found


def rejected_by_pyright(files: list[Path], folder: Path) -> dict[Path, set[int]]:
    settings = folder / "pyrightconfig.json"
    settings.write_text(
        json.dumps(
            {
                "include": [str(file) for file in files],
                "extraPaths": [str(CHECKOUT)],
                "typeCheckingMode": "standard",
                "reportMissingTypeStubs": False,
            }
        )
    )
    answer = json.loads(call("basedpyright", "--project", settings, "--pythonpath", sys.executable, "--outputjson"))
    found: dict[Path, set[int]] = {}
    for problem in answer["generalDiagnostics"]:
        if problem["severity"] == "error":
            found.setdefault(Path(problem["file"]), set()).add(problem["range"]["start"]["line"] + 1)
    return found


def call(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", program, *map(str, arguments)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("check", [rejected_by_mypy, rejected_by_pyright])
def test_right_code_is_accepted_and_wrong_code_rejected(
    check: Callable[[list[Path], Path], dict[Path, set[int]]], tmp_path: Path
) -> None:
    found = check(FILES, tmp_path)

    assert found == {file: marked(file) for file in FILES}
    assert all(marked(file) for file in FILES)
