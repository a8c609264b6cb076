"""The Spanish translation: complete, compiled, and with everything filled in that the English has."""

from __future__ import annotations

import gettext
import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

from tests.catalogues import CATALOGUES, ROOT, Entry, read

_PERCENT = re.compile(r"%(?:\(\w+\))?[+.\d]*[a-z]")


def _ids(file: Path) -> str:
    return file.relative_to(ROOT).parts[0]


def _values(text: str) -> set[str]:
    names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
    return names | set(_PERCENT.findall(text.replace("%%", "")))


@pytest.mark.parametrize("file", CATALOGUES, ids=_ids)
class TestTheSpanishTranslation:
    def test_is_compiled_as_it_is_written(self, file: Path) -> None:
        with file.with_suffix(".mo").open("rb") as opened:
            compiled = gettext.GNUTranslations(opened)._catalog  # type: ignore[attr-defined]
        expected: dict[object, str] = {}
        for entry in read(file):
            if entry.plural is None:
                expected[entry.key] = entry.said[0]
            else:
                expected |= {(entry.key, form): text for form, text in enumerate(entry.said)}

        assert {key: text for key, text in compiled.items() if key != ""} == expected

    def test_leaves_nothing_out(self, file: Path) -> None:
        assert [entry.msgid for entry in read(file) if entry.is_fuzzy or not all(entry.said)] == []

    def test_has_a_place_for_each_value(self, file: Path) -> None:
        wrong = [entry.msgid for entry in read(file) if not _fits(entry)]

        assert wrong == []


def _fits(entry: Entry) -> bool:
    english = [entry.msgid] if entry.plural is None else [entry.msgid, entry.plural]
    return [_values(text) for text in entry.said] == [_values(text) for text in english]


class TestTheTextsOfTheCode:
    def test_are_all_in_the_catalogues(self, tmp_path: Path) -> None:
        """Collected anew from a copy, they are those of the catalogues: see “manage.py makemessages”."""
        if shutil.which("xgettext") is None:
            sentence = "gettext is not installed: apt-get install gettext"
            if os.environ.get("CI") == "true":
                pytest.fail(sentence)
            pytest.skip(sentence)
        copy = tmp_path / "copy"
        for folder in ("scheduler", "openlearn", "templates"):
            shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "manage.py", copy)
        command = "makemessages --locale es --no-obsolete --no-location"
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "openlearn.settings",
            "OPENLEARN_DATA_DIR": str(tmp_path),
        }
        made = subprocess.run(
            [sys.executable, "manage.py", *command.split()], cwd=copy, env=environment, check=True, capture_output=True
        )

        # Found with a plural, a text is not found without: it stayed English.
        assert b"without plural" not in made.stdout + made.stderr
        for file in CATALOGUES:
            collected = {(entry.key, entry.plural) for entry in read(copy / file.relative_to(ROOT))}
            kept = {(entry.key, entry.plural) for entry in read(file)}
            assert collected == kept
