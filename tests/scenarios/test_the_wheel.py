"""The distributions that a package index would get: built from a copy of the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from trove_classifiers import classifiers

CHECKOUT = Path(__file__).resolve().parents[2]
PACKED = ("scheduler", "README.md", "LICENSE", "pyproject.toml")


def call(*arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in PACKED:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(CHECKOUT / name, source / name)
    call("build", "--no-isolation", "--outdir", target, source)
    return target


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("openlearn_scheduler-*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return BytesParser().parsebytes(wheel.read(name))


@pytest.mark.timeout(300)
class TestTheWheel:
    def test_holds_every_file_of_the_app_and_no_other(self, wheel: zipfile.ZipFile) -> None:
        app = {
            file.relative_to(CHECKOUT).as_posix()
            for file in (CHECKOUT / "scheduler").rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}

        assert packed == app
        for part in ("py.typed", "store/schema.sql", "locale/es/LC_MESSAGES/django.mo"):
            assert f"scheduler/{part}" in packed

    def test_names_the_pytest_plugin(self, wheel: zipfile.ZipFile) -> None:
        (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]

        assert "[pytest11]\nopenlearn-scheduler = scheduler.contrib.pytest_plugin" in wheel.read(name).decode()

    def test_is_described_as_an_index_shows_it(self, metadata: Message) -> None:
        assert metadata["Name"] == "openlearn-scheduler"
        assert metadata["License-Expression"] == "MIT"
        assert metadata["Requires-Python"] == ">=3.11"
        assert set(metadata.get_all("Classifier") or ()) <= set(classifiers)
        assert {"apprise", "holidays", "testing"} <= set(metadata.get_all("Provides-Extra") or ())
        assert "django" in (metadata["Keywords"] or "")

    def test_and_the_source_pass_the_checks_of_an_index(self, built: Path) -> None:
        told = call("twine", "check", "--strict", *sorted(built.iterdir()))

        assert told.count("PASSED") == 2

    def test_can_be_built_from_the_source(self, built: Path) -> None:
        (path,) = built.glob("openlearn_scheduler-*.tar.gz")
        with tarfile.open(path) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}

        assert {"pyproject.toml", "README.md", "LICENSE", "scheduler/store/schema.sql"} <= names
