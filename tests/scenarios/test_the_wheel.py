"""The distributions that a package index would get: built from a copy of the checkout."""

from __future__ import annotations

import tarfile
import zipfile
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest
from trove_classifiers import classifiers

from tests.distributions import CHECKOUT, call, copy_source

pytestmark = pytest.mark.xdist_group("wheel")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    copy_source(source)
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
