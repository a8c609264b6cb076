"""The command that reads public test suites."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import public_suites
from tests.scraping_inputs import FOLDER

ROOT = Path(__file__).resolve().parents[3]


class TestTheCommand:
    def test_reads_each_kind_without_a_crash(self) -> None:
        kinds = [f"{kind}={FOLDER}" for kind in ("feeds", "sitemaps", "robots", "pages", "addresses")]

        done = subprocess.run(
            [sys.executable, "-m", "tests.public_suites", *kinds],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            capture_output=True,
            text=True,
            timeout=500,
        )

        reports = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, done.stdout + done.stderr
        assert [report["kind"] for report in reports] == ["feeds", "sitemaps", "robots", "pages", "addresses"]
        assert all(report["files"] and report["outcomes"]["read"] for report in reports)

    @pytest.mark.parametrize("argument", ["music=/tmp", "feeds=/does/not/exist", "feeds"])
    def test_names_an_argument_that_it_cannot_use(self, argument: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert public_suites.main([argument]) == 2
        assert argument in capsys.readouterr().err

    def test_counts_what_no_reader_expects_as_a_crash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "feed.xml"
        file.write_bytes(b"<rss/>")

        def crash(content: bytes) -> int:
            raise KeyError(len(content))

        monkeypatch.setitem(public_suites._READERS, "feeds", crash)

        found = public_suites._read(("feeds", str(file)))

        assert (found.outcome, found.detail) == ("crash", "KeyError: 6")
