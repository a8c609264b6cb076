"""
Sessions over Pythons and Djangos. ``nox --list`` names them.

An interpreter that is not on this machine skips its sessions, with a sentence. Interpreters of pyenv are found too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

CHECKOUT = Path(__file__).resolve().parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
DJANGOS = ("5.2", "6.0", "6.1")
DRIVERS = ("psycopg2-binary", "psycopg[binary,pool]")

CORNERS = (
    ("3.11", "5.2", DRIVERS[0]),
    ("3.13", "5.2", DRIVERS[1]),
    ("3.12", "6.0", DRIVERS[0]),
    ("3.13", "6.0", DRIVERS[1]),
    ("3.13", "6.1", DRIVERS[0]),
    ("3.14", "6.1", DRIVERS[1]),
)
"""What a change is checked with: each Django with each driver. Another Python steps in for one that is missing."""

ONLY_WITH = {"django-celery-beat": ("5.2", "6.0"), "django-tasks-monitor": ("6.0", "6.1")}
"""Tools of the tests that do not run with every Django. Without them their tests are skipped."""

nox.options.sessions = ["suite", "bare"]
nox.options.error_on_missing_interpreters = False
os.environ["PATH"] = os.pathsep.join(
    [os.environ.get("PATH", ""), *sorted(map(str, Path.home().glob(".pyenv/versions/3.*/bin")), reverse=True)]
)


def fits(python: str, django: str) -> bool:
    """Return whether this Django runs on this Python: since 6.0 it wants 3.12."""
    return django == "5.2" or python != "3.11"


PAIRS = [(python, django) for python in PYTHONS for django in DJANGOS if fits(python, django)]


@nox.session
@nox.parametrize("python,django", PAIRS)
def suite(session: nox.Session, django: str) -> None:
    """Run the tests of units and of integration with one Python and one Django. Arguments go to pytest."""
    session.install("-r", str(requirements(session, django)), f"django~={django}.0")
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/unit", "tests/integration"]))


@nox.session
@nox.parametrize("python,django", PAIRS)
def bare(session: nox.Session, django: str) -> None:
    """Install the wheel beside one Django, and follow the README in a new project."""
    driver = DRIVERS[(PYTHONS.index(str(session.python)) + DJANGOS.index(django)) % 2]
    session.install(f"django~={django}.0", driver, f"{build_wheel(session)}[testing]", "pytest-django")
    follow_the_readme(session, [Path(session.bin) / "python"])


@nox.session
def corners(session: nox.Session) -> None:
    """Follow the README in one new project for each corner of the matrix, all in one run of pytest."""
    wheel = build_wheel(session)
    corners = []
    for number, (python, django, driver) in enumerate(CORNERS):
        interpreter = find(python, django)
        if interpreter is None:
            session.log(f"Left out: Django {django} wants Python 3.12, which is not on this machine.")
            continue
        packages = (f"django~={django}.0", driver, f"{wheel}[testing]", "pytest-django")
        corners.append((interpreter, Path(session.create_tmp()).resolve() / f"corner-{number}", packages))
    with ThreadPoolExecutor(os.cpu_count()) as several:
        pythons = list(several.map(lambda corner: install(*corner), corners))
    follow_the_readme(session, pythons)


def install(interpreter: str, folder: Path, packages: tuple[str, ...]) -> Path:
    """Install packages into a virtual environment, and return its interpreter. Unused modules stay uncompiled."""
    subprocess.run([interpreter, "-m", "venv", "--clear", str(folder)], check=True)  # noqa: S603 - no input
    installed = folder / "bin" / "python"
    command = [str(installed), "-m", "pip", "install", "-q", "--no-compile", *packages]
    subprocess.run(command, check=True)  # noqa: S603 - no input
    return installed


@nox.session
def package(session: nox.Session) -> None:
    """Build the distributions and check what a package index would show."""
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", "dist", str(copy_of_checkout(session)))
    session.run("python", "-m", "twine", "check", "--strict", *map(str, (CHECKOUT / "dist").glob("openlearn_*")))


def requirements(session: nox.Session, django: str) -> Path:
    """Write the list of the development tools that run with this Django."""
    lines = (CHECKOUT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    left_out = tuple(name for name, djangos in ONLY_WITH.items() if django not in djangos)
    kept = [line.replace("-r ", f"-r {CHECKOUT}/") for line in lines if not line.startswith(left_out)]
    file = Path(session.create_tmp()) / "requirements.txt"
    file.write_text("\n".join(kept), encoding="utf-8")
    return file


def find(python: str, django: str) -> str | None:
    """Return this interpreter, or the newest other one on this machine that runs this Django."""
    for version in (python, *reversed(PYTHONS)):
        found = shutil.which(f"python{version}")
        if found is not None and fits(version, django):
            return found
    return sys.executable if fits(".".join(map(str, sys.version_info[:2])), django) else None


def build_wheel(session: nox.Session) -> Path:
    folder = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(folder, ignore_errors=True)
    build = ("-m", "build", "--wheel", "--outdir", str(folder), str(copy_of_checkout(session)))
    session.run(sys.executable, *build, external=True, silent=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def copy_of_checkout(session: nox.Session) -> Path:
    """Builds write into the folder that they build."""
    folder = Path(session.create_tmp()) / "checkout"
    shutil.rmtree(folder, ignore_errors=True)
    left_out = shutil.ignore_patterns(".git", ".nox", ".venv", ".data", "__pycache__", "dist", "build", "*.egg-info")
    shutil.copytree(CHECKOUT, folder, ignore=left_out)
    return folder


def follow_the_readme(session: nox.Session, pythons: list[Path]) -> None:
    """Run the tests of bare projects with the development tools that run nox."""
    environment = {"OWN_PROJECT_PYTHONS": os.pathsep.join(map(str, pythons))}
    tests = ("tests/scenarios/test_a_project_of_ones_own.py", "tests/scenarios/test_the_testing_page.py")
    session.run(sys.executable, "-m", "pytest", "-m", "", *tests, *session.posargs, env=environment, external=True)
