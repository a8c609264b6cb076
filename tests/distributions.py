"""The package as others get it: a copy of what goes into the distributions, and an installation of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PACKED = ("scheduler", "README.md", "LICENSE", "pyproject.toml")


def call(*arguments: object) -> str:
    """Run a module of this Python and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copy_source(into: Path) -> None:
    """Copy the source, so that building leaves no file in the checkout."""
    for name in PACKED:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, into / name)


def install(source: Path, into: Path) -> None:
    """Install the package from its source, as a wheel. What it requires is installed here already."""
    call("pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", into, source)
