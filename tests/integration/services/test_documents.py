"""Exports in files are read as ``json`` reads them, a job at a time."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.services.jobs import documents
from scheduler.services.jobs.documents import Document, JobsInFile, UnreadableDocument

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.dictionaries(TEXTS | st.sampled_from(["jobs", "format"]), VALUES, max_size=5)


def plain(found: Any) -> Any:
    if not isinstance(found, Document):
        return found
    return {name: list(value) if isinstance(value, JobsInFile) else value for name, value in found.items()}


@pytest.fixture
def few_characters_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_CHARS", 3)


@pytest.mark.usefixtures("few_characters_at_once")
class TestADocument:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(value=MEMBERS | VALUES, indent=st.sampled_from([None, 2]), is_ascii=st.booleans())
    def test_is_what_json_reads(self, value: Any, indent: int | None, is_ascii: bool) -> None:
        text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)

        assert plain(documents.read(io.StringIO(f"\ufeff {text}\n"))) == value

    @pytest.mark.parametrize(
        "text", ["", "{", '{"jobs": [1', '{"jobs": [1 2]}', '{"a" 1}', "{1: 2}", '{"a": 1} x', "[,]"]
    )
    def test_is_refused_as_json_refuses_it(self, text: str) -> None:
        with pytest.raises(json.JSONDecodeError):
            json.loads(text)

        with pytest.raises(UnreadableDocument, match="is not JSON"):
            plain(documents.read(io.StringIO(text)))

    def test_names_the_line_that_cannot_be_read(self) -> None:
        with pytest.raises(UnreadableDocument, match=r"line 4$"):
            plain(documents.read(io.StringIO('{"jobs": [\n1,\n2,\nx\n]}')))

    def test_knows_what_comes_after_its_jobs(self) -> None:
        found = documents.read(io.StringIO('{"format": 1, "jobs": [1, 2], "calendars": [3]}'))

        assert (found["format"], found.get("calendars"), found.get("alerts"), list(found["jobs"])) == (
            1,
            [3],
            None,
            [1, 2],
        )
        assert list(found["jobs"]) == [1, 2]


class TestAFileOfManyJobs:
    def test_is_never_in_memory_as_a_whole(self, tmp_path: Path) -> None:
        file = tmp_path / "jobs.json"
        job = json.dumps({"id": "x" * 200})
        file.write_text('{"jobs": [' + ",\n".join([job] * 20_000) + "]}")

        with file.open(encoding="utf-8") as opened:
            tracemalloc.start()
            number = sum(1 for _ in documents.read(opened)["jobs"])
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()

        assert number == 20_000
        assert most < file.stat().st_size / 4
