from __future__ import annotations

import dataclasses
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, computed_field

from scheduler.execution import values
from scheduler.execution.values import clean, cut_middle, describe_error, progress_as_json, result_as_json


def stored(value: Any, *, limit: int = 10_000) -> Any:
    text = result_as_json(value, limit=limit)
    assert text is not None
    assert len(text.encode()) <= limit
    value = json.loads(text)
    assert "\x00" not in str(value)
    return value


class Lesson(BaseModel):
    title: str
    pages: int


class Fickle(BaseModel):
    @computed_field
    def title(self) -> str:
        raise KeyError("title")


@dataclasses.dataclass
class Counts:
    new: int
    changed: float


class TestClean:
    def test_leaves_what_postgresql_can_store(self) -> None:
        assert clean("Ünïcode 🙂\n\t") == "Ünïcode 🙂\n\t"

    def test_replaces_nul_and_lone_surrogates(self) -> None:
        assert clean("a\x00b\ud800c\udfffd") == "a\ufffdb\ufffdc\ufffdd"


class TestCutMiddle:
    def test_leaves_a_text_of_the_limit_alone(self) -> None:
        assert cut_middle("x" * 10, limit=10) == "x" * 10

    def test_keeps_both_ends_and_says_what_is_missing(self) -> None:
        assert cut_middle("a" * 6 + "b" * 6, limit=5) == "aa\n… 7 characters left out …\nbbb"


class TestResultAsJson:
    def test_is_none_without_a_result(self) -> None:
        assert result_as_json(None, limit=100) is None

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (0, 0),
            (False, False),
            ("", ""),
            ([], []),
            ({"a": (1, 2)}, {"a": [1, 2]}),
            ({1: "one"}, {"1": "one"}),
            (Decimal("1.10"), "1.10"),
            (datetime(2027, 3, 1, 12, tzinfo=UTC), "2027-03-01T12:00:00Z"),
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
            (b"bytes", "bytes"),
            (Lesson(title="Sets", pages=3), {"title": "Sets", "pages": 3}),
            (Counts(new=1, changed=2.5), {"new": 1, "changed": 2.5}),
        ],
    )
    def test_stores_what_tasks_usually_return(self, value: Any, expected: Any) -> None:
        assert stored(value) == expected

    def test_spells_what_json_has_no_number_for(self) -> None:
        assert stored({"a": float("nan"), "b": [float("inf"), -float("inf")]}) == {"a": "nan", "b": ["inf", "-inf"]}

    def test_spells_it_in_dataclasses_too(self) -> None:
        assert stored(Counts(new=1, changed=float("nan"))) == {"new": 1, "changed": "nan"}

    def test_replaces_nul_in_values_and_names(self) -> None:
        assert stored({"a\x00": ["b\x00"]}) == {"a\ufffd": ["b\ufffd"]}

    def test_leaves_a_backslash_that_only_looks_like_nul_alone(self) -> None:
        assert stored(r"C:\u0000") == r"C:\u0000"

    def test_survives_lone_surrogates(self) -> None:
        assert "\ud800" not in json.dumps(stored({"a": "x\ud800"}), ensure_ascii=False)

    @pytest.mark.parametrize(
        "value", [object(), b"\xff\xfe", lambda: None, 10**5000], ids=("object", "bytes", "function", "number")
    )
    def test_says_what_cannot_be_stored(self, value: Any) -> None:
        found = stored(value)

        assert found["unserializable"] == type(value).__qualname__
        assert found["reason"]

    def test_says_so_of_a_value_that_contains_itself(self) -> None:
        value: list[Any] = []
        value.append(value)

        assert stored(value)["unserializable"] == "list"

    def test_says_so_of_a_value_whose_own_code_fails(self) -> None:
        assert stored(Fickle())["unserializable"] == "Fickle"

    def test_cuts_what_is_too_large_and_says_so(self) -> None:
        found = stored({"text": "\U0001f642" * 5000}, limit=1000)

        assert found["cut"] is True
        assert found["bytes"] > 20_000
        assert found["begins"].startswith('{"text"')

    @pytest.mark.parametrize(
        "value",
        [
            list(range(3_000_000)),
            [[b"x" * 2_000_000]],
            {"deep": {"er": ["x" * 3_000_000]}},
            ({n: n for n in range(1_000_000)},),
        ],
        ids=["numbers", "bytes", "text", "tuple of a dict"],
    )
    def test_that_is_far_too_large_is_not_written_out(self, value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("it was converted")

        monkeypatch.setattr(values, "to_jsonable_python", refuse)

        found = json.loads(result_as_json(value, limit=1000) or "")

        assert (found["cut"], found["more_than"], found["limit"]) == (True, 16_000, 1000)
        assert found["was"].startswith(type(value).__name__)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
        )
    )
    def test_never_fails_and_never_gives_what_postgresql_refuses(self, value: Any) -> None:
        text = result_as_json(value, limit=500)

        if value is not None:
            assert text is not None
            json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
            text.encode()
            assert "\x00" not in json.dumps(json.loads(text), ensure_ascii=False)


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class TestDescribeError:
    def describe(self, error: BaseException, *, limit: int = 10_000) -> tuple[str, str]:
        try:
            raise error
        except BaseException as raised:  # noqa: BLE001 - SystemExit is among those described
            return describe_error(raised, limit=limit)

    def test_gives_type_and_message_in_one_line(self) -> None:
        line, traceback = self.describe(ValueError("no such lesson"))

        assert line == "ValueError: no such lesson"
        assert traceback.startswith("Traceback (most recent call last)")
        assert "raise error" in traceback

    def test_gives_only_the_type_without_a_message(self) -> None:
        assert self.describe(KeyboardInterrupt())[0] == "KeyboardInterrupt"

    def test_survives_an_exception_that_cannot_say_what_it_is(self) -> None:
        line, traceback = self.describe(Unreadable())

        assert line == "Unreadable: (its message could not be read: RuntimeError)"
        assert "Unreadable" in traceback

    def test_tells_the_causes(self) -> None:
        error = ValueError("outer")
        error.__cause__ = KeyError("inner")

        _, traceback = self.describe(error)

        assert "KeyError: 'inner'" in traceback
        assert "direct cause" in traceback

    def test_cuts_and_cleans_long_messages(self) -> None:
        line, traceback = self.describe(ValueError("\x00" + "x" * 50_000 + "\ud800"), limit=300)

        assert "characters left out" in line
        assert "characters left out" in traceback
        assert len(line) < 2100
        assert len(traceback) < 400
        assert "\x00" not in line + traceback
        assert (line + traceback).encode()


class TestATextThatIsFarTooLong:
    def test_is_cut_and_says_how_long_it_was(self) -> None:
        text = "ä" * 3_000_000

        kept = result_as_json(text, limit=1000)

        found = json.loads(kept or "")
        assert (found["cut"], found["bytes"]) == (True, 6_000_002)
        assert found["begins"].startswith('"ää')
        assert len((kept or "").encode()) <= 1000


class TestProgressAsJson:
    def test_is_what_a_task_says(self) -> None:
        said = {"done": 1.5, "total": None, "message": "half"}

        assert json.loads(progress_as_json(said)) == said

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (float("nan"), "nan"),
            (10**5000, "(its message could not be read: ValueError)"),
            (10**16, "10000000000000000"),
            (b"\xff", "b'\\xff'"),
            ("nul \x00 and \ud800", "nul \ufffd and \ufffd"),
            ([1], "[1]"),
        ],
        ids=("no number", "more than a text can hold", "more than a float can hold", "bytes", "odd text", "a list"),
    )
    def test_is_a_short_text_where_that_cannot_be_shown(self, value: Any, shown: str) -> None:
        assert json.loads(progress_as_json({"done": value}))["done"] == shown

    def test_is_cut_when_it_is_huge(self) -> None:
        assert len(progress_as_json({"message": "x" * 10_000_000})) < 3000
