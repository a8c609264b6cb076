"""Reasons and the messages of errors: declared once, rendered in every language, stored and read back."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation

import scheduler
from scheduler import errors
from scheduler.admin.format.languages import told
from scheduler.core import reasons, triggers
from scheduler.core.tasks.registry import registry
from scheduler.errors import InvalidArguments, InvalidTrigger, SchedulerError, UnknownTask
from scheduler.messages import DECLARED, Declared, Message, declare, decode, encode
from scheduler.services import reason_conversion

LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]
SQL = Path(scheduler.__file__).parent / "store/sql"
VALUES: dict[type, Any] = {str: "⟨x⟩", int: 3, float: 2.5, Message: reasons.CREATED_PAUSED()}

EXAMPLES = [
    lambda: registry.get("sample.nothin"),
    lambda: registry.get("nobody"),
    lambda: registry.get("sample.give").bind(args=(), kwargs={"valu": 1}),
    lambda: registry.get("sample.give").bind(args=(), kwargs={}),
    lambda: triggers.parse({"type": "cron", "expression": "0 0 31 2 *"}),
    lambda: triggers.parse({"type": "cron", "expression": "0 25 * * *"}),
    lambda: triggers.parse({"type": "cron", "expression": "1 2"}),
    lambda: triggers.parse({"type": "interval", "hour": 1}),
    lambda: triggers.parse({"type": "interval", "hours": 1, "timezone": "CEST"}),
]


def example(declared: Declared) -> Message:
    return declared(**{name: VALUES[kind] for name, kind in declared.params.items()})


@pytest.fixture(params=sorted(DECLARED))
def declared(request: pytest.FixtureRequest) -> Declared:
    return DECLARED[request.param]


class TestEveryDeclaredMessage:
    def test_has_a_sentence_for_its_parameters(self, declared: Declared) -> None:
        for text in filter(None, (declared.text, declared.many)):
            assert set(re.findall(r"\{(\w+)", text)) <= set(declared.params)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_is_rendered_in_every_language(self, declared: Declared, language: str) -> None:
        with translation.override(language):
            said = told(example(declared))

        has_words = re.search(r"\w{2}|“", re.sub(r"\{.*?\}", "", declared.text))
        assert (said != str(example(declared))) == bool(has_words)
        for kind in declared.params.values():
            if kind is str:
                assert "⟨x⟩" in said
            if kind is Message:
                assert "Created paused." not in said

    def test_is_read_back_from_json(self, declared: Declared) -> None:
        given = example(declared)

        stored = json.loads(json.dumps(encode(given)))
        read = decode(stored["code"], stored["params"])

        assert (read, read and read.code, read and read.params) == (given, declared.code, given.params)

    def test_has_a_code_that_fits_its_column(self, declared: Declared) -> None:
        assert re.fullmatch(r"[a-z0-9_.]{1,64}", declared.code)


class TestDeclaring:
    def test_refuses_a_code_twice(self) -> None:
        with pytest.raises(ValueError, match="declared twice"):
            declare("backfill", "Another sentence.")

    def test_refuses_other_parameters(self) -> None:
        with pytest.raises(TypeError, match="takes who; given: whom"):
            reasons.CANCELLED_BY(whom="ada")


class TestAnError:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("ask", EXAMPLES)
    def test_that_broke_a_job_is_rendered_in_every_language_after_it_was_stored(self, ask: Any, language: str) -> None:
        with pytest.raises((UnknownTask, InvalidArguments, InvalidTrigger)) as caught:
            ask()
        given = reasons.TRIGGER_UNUSABLE(problem=reasons.of_error(caught.value))

        read = reasons.read(code=given.code, params=json.loads(reasons.params_json(given) or "null"), text="")

        assert read == given
        with translation.override(language):
            said = told(read)
            assert said == told(given)
            assert told(caught.value) in said
            assert str(caught.value) not in said

    def test_says_its_docstring_without_a_message_of_its_own(self) -> None:
        for kind in vars(errors).values():
            if isinstance(kind, type) and issubclass(kind, SchedulerError) and kind._fact is not None:
                assert kind._fact.code.startswith("error.")
                assert kind._fact() == " ".join((kind.__doc__ or "").split())

    def test_of_plain_text_is_kept_as_text(self) -> None:
        reason = reasons.of_error(SchedulerError("The server said: no."))

        assert (reason, reason.code, reason.params) == (
            "The server said: no.", "text", {"text": "The server said: no."},
        )  # fmt: skip

    def test_survives_the_way_to_another_process(self) -> None:
        again = pickle.loads(pickle.dumps(reasons.FAILED_IN_A_ROW(number=2)))  # noqa: S301 - our own

        assert (again, again.code) == ("Failed 2 times in a row.", "failed_in_a_row")


class TestAStoredReason:
    def test_that_a_person_typed_stays_text(self) -> None:
        assert reasons.columns("Backfill.") == {"reason_code": "", "reason_params": None, "reason_text": "Backfill."}
        with translation.override("es"):
            assert told(reasons.read(code="", params=None, text="Backfill.")) == "Backfill."

    @pytest.mark.parametrize(("code", "params"), [("of_a_newer_release", {"x": 1}), ("failed_in_a_row", {"other": 1})])
    def test_of_a_newer_release_is_shown_as_it_is(self, code: str, params: dict[str, Any]) -> None:
        assert reasons.read(code=code, params=params, text="") == code


class TestTheCode:
    def test_is_declared_wherever_sql_writes_one(self) -> None:
        written = {
            code for path in SQL.glob("*.sql") for code in re.findall(r"reason_code = '(\w+)'", path.read_text())
        }

        assert written
        assert written <= set(DECLARED)

    def test_is_all_that_sql_writes(self) -> None:
        sentences = [
            path.name
            for path in SQL.glob("*.sql")
            if re.search(r"(?:reason|error) = (?:format\()?'[^']", path.read_text())
        ]

        assert sentences == []


class TestSentencesOfEarlierReleases:
    @pytest.mark.parametrize(
        ("text", "code", "params"),
        [
            ("Failed 5 times in a row.", "failed_in_a_row", {"number": 5}),
            ("Noticed 300.5 s late; the misfire grace time is 300 s.", "too_late", {"late": 300.5, "grace": 300}),
            ("1 run of this job still active; max_instances is 1.", "still_active", {"number": 1, "most": 1}),
            ("2 runs of this job still active; max_instances is 2.", "still_active", {"number": 2, "most": 2}),
            ("More than 3 fire times were due at once; only the newest 3 are run.", "too_many_due", {"most": 3}),
            ("Cancelled by ada before it began.", "cancelled_by", {"who": "ada"}),
            ("Stopped while 3 runs went on.", "stopped_early", {"number": 3}),
        ],
    )
    def test_get_their_code(self, text: str, code: str, params: dict[str, Any]) -> None:
        reason = reason_conversion.parse(text)

        assert reason is not None
        assert (reason.code, reason.params) == (code, params)

    def test_hold_other_reasons(self) -> None:
        reason = reason_conversion.parse("The job was broken: Created paused.")

        assert reasons.params_of(reason) == {"reason": {"code": "created_paused", "params": {}}}

    @pytest.mark.parametrize(
        "text", ["The proxy is banned.", "More than 3 fire times were due at once; only the newest 4 are run."]
    )
    def test_of_people_stay(self, text: str) -> None:
        assert reason_conversion.parse(text) is None
