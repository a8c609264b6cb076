"""Messages: data that is English text, and text in other languages."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from scheduler import errors
from scheduler.admin.format.languages import told
from scheduler.core.triggers import describe, normalize
from scheduler.errors import InvalidTrigger, NeverFires, SchedulerError
from scheduler.messages import Message, phrase, phrase_of, row, with_values
from tests.unit.triggers.oracle import utc

NOW = utc(2026, 11, 23, 4)

PACKAGE = Path(__file__).resolve().parents[2] / "scheduler"
ERRORS_OF_MACHINES = {
    # Of bodies of the API, whose messages are English as its other texts are.
    "InvalidRequest",
    # Of files and options at a shell.
    *("InvalidImport", "UnusableDeclaration"),
    # Of code and settings: system checks and logs.
    *("InvalidTask", "DuplicateTask", "Misconfigured"),
}
MODULES_OF_MACHINES = {
    "core/triggers/apscheduler.py": "triggers of Python code",
    "services/jobs/entries.py": "imports at a shell",
    "services/jobs/transfer.py": "imports at a shell",
    "services/queries/metrics.py": "the API",
    "services/retention.py": "settings and options of a command",
    "services/templates/predefined.py": "templates restore",
}


class TestAPhrase:
    def test_is_english_text_wherever_text_is_wanted(self) -> None:
        said = phrase("{name}: at most {most}.", name="months", most=12)

        assert (said, f"{said}", said.upper()) == ("months: at most 12.", "months: at most 12.", "MONTHS: AT MOST 12.")

    def test_shows_values_as_they_are(self) -> None:
        assert phrase("“{text}” is not a time zone. Choose a region such as Europe/Berlin.", text="{x}%s") == (
            "“{x}%s” is not a time zone. Choose a region such as Europe/Berlin."
        )

    @pytest.mark.parametrize(
        ("number", "said"), [(1, "second"), (2, "2 seconds"), (0, "0 seconds"), (1.5, "1.5 seconds")]
    )
    def test_counts(self, number: float, said: str) -> None:
        assert phrase_of("second", "{number} seconds", number=number) == said

    def test_can_be_said_about_other_values(self) -> None:
        said = phrase("{name}: at most {most}.", name="months", most=12)

        assert with_values(said, name="Meses", other=1) == "Meses: at most 12."
        assert [with_values(text, name="x") for text in ("plain", row(", ", ["a", "b"]))] == ["plain", "a, b"]

    def test_survives_the_way_to_another_process(self) -> None:
        said = row(
            ", ", [phrase("every {interval}", interval=phrase_of("minute", "{number} minutes", number=5)), "UTC"]
        )

        again = pickle.loads(pickle.dumps(said))  # noqa: S301 - our own

        assert isinstance(again, Message)
        with translation.override("es"):
            assert told(again) == told(said) == "cada 5 minutos, UTC"

    def test_says_numbers_as_the_language_writes_them(self) -> None:
        with translation.override("es"):
            said = told(
                phrase("The arguments take {size:,} bytes as JSON, of {most:,} allowed.", size=70_000, most=65_536)
            )

        assert said == "Los argumentos ocupan 70\xa0000 bytes como JSON, de 65\xa0536 permitidos."


class TestAnError:
    def test_is_told_in_the_language_of_the_reader_and_logged_in_english(self) -> None:
        error = NeverFires(phrase("It ends before its first run."), pointer="/end_at")

        with translation.override("es"):
            assert (told(error), str(error)) == (
                "Termina antes de su primera ejecución.",
                "It ends before its first run.",
            )

    def test_without_a_phrase_stays_as_it_is(self) -> None:
        assert told(SchedulerError("The server said: no.")) == "The server said: no."


class TestTriggersInSpanish:
    @pytest.mark.parametrize(
        ("expression", "words"),
        [
            ("*/5 * * * *", "cada 5 minutos"),
            ("5 * * * *", "en el minuto 5 de cada hora"),
            ("0 2 * * *", "todos los días a las 02:00"),
            ("0 1 * * *", "todos los días a la 01:00"),
            ("0 9 * * mon,thu", "los lunes y jueves a las 09:00"),
            ("0 9,17 * * sat-sun", "los sábados y domingos a las 09:00 y 17:00"),
            ("*/15 9-17 * * mon-fri", "de lunes a viernes cada 15 minutos de 09:00 a 17:45"),
            ("0 0 13 * 5", "el día 13 o un viernes (cron ejecuta cuando se cumple cualquiera de los dos) a las 00:00"),
            ("0 0 */15 * 1", "los lunes que caigan en los días 1, 16 y 31 del mes a las 00:00"),
            ("0 0 1,15 * *", "los días 1 y 15 de cada mes a las 00:00"),
            ("0 0 1,L * *", "el día 1 y el último día de cada mes a las 00:00"),
            ("0 0 * * 5L", "el último viernes del mes a las 00:00"),
            ("0 0 * * 1#2", "el segundo lunes del mes a las 00:00"),
            ("0 0 * nov-feb *", "todos los días de noviembre a febrero a las 00:00"),
            ("0 0 1 1,7 *", "el día 1 de enero y julio a las 00:00"),
            ("*/7 3 * * *", "todos los días en los minutos 0, 7, … 56 de la hora 3"),
        ],
    )
    def test_read_as_spanish_is_spoken(self, expression: str, words: str) -> None:
        with translation.override("es"):
            assert told(describe({"type": "cron", "expression": expression})) == f"{words}, UTC"

    @pytest.mark.parametrize(
        ("form", "words"),
        [
            ({"type": "interval", "seconds": 3600}, "cada hora"),
            ({"type": "date", "run_at": "2027-03-01T09:00:00+01:00"}, "una vez, el 1 mar 2027, 09:00, +01:00"),
            ({"type": "calendar", "months": 1, "at": "02:30"}, "cada mes el día 23 a las 02:30, UTC"),
            ({"type": "calendar", "weeks": 2, "at": "01:00"}, "cada 2 semanas el lunes a la 01:00, UTC"),
            ({"type": "cron", "fields": {"day": "2nd sun", "hour": 3}}, "el segundo domingo del mes a las 03:00, UTC"),
            (
                {"type": "cron", "expression": "@daily", "end_at": "2027-01-01", "jitter_seconds": 30},
                "todos los días a las 00:00, UTC, hasta el 1 ene 2027, 00:00, hasta 30 segundos más tarde al azar",
            ),
        ],
    )
    def test_of_each_kind(self, form: dict[str, object], words: str) -> None:
        with translation.override("es"):
            assert told(describe(normalize(form, now=NOW))) == words

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            (
                {"type": "cron", "expression": "0 2 * *"},
                "«0 2 * *» tiene 4 partes; una expresión cron tiene 5: "
                "minuto, hora, día del mes, mes, día de la semana.",
            ),
            ({"type": "cron", "expression": "0 25 * * *"}, "Hora «25»: se permite de 0 a 23."),
            ({"type": "cron", "expression": "0 0 31 2 *"}, "Esto no se ejecuta nunca: el 31 de febrero no existe."),
            (
                {"type": "interval", "hours": 1, "timezone": "CEST"},
                "«CEST» no es una zona horaria. Elija una región como Europe/Berlin.",
            ),
            ({"type": "interval", "hour": 1}, "Un disparador interval no tiene «hour». ¿Quería decir «hours»?"),
            (
                {"type": "or", "triggers": [{"type": "cron", "expression": "@reboot"}]},
                "«@reboot» no se admite: una planificación no tiene arranque. "
                "Use @hourly, @daily, @weekly, @monthly, @yearly.",
            ),
        ],
    )
    def test_say_in_spanish_what_is_wrong_with_them(self, form: dict[str, object], sentence: str) -> None:
        with pytest.raises(InvalidTrigger) as caught, translation.override("es"):
            normalize(form, now=NOW)

        with translation.override("es"):
            assert told(caught.value) == sentence


class TestAnErrorThatPeopleRead:
    """The admin renders the errors of ``core`` and ``services`` in the reader's language."""

    def test_is_made_of_a_message(self) -> None:
        assert sorted(set(_plain_errors())) == []


def _plain_errors() -> Iterator[str]:
    """Yield where an error is raised with English text instead of a message."""
    for folder in ("core", "services"):
        for path in (PACKAGE / folder).rglob("*.py"):
            name = path.relative_to(PACKAGE).as_posix()
            if name in MODULES_OF_MACHINES:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                error = _named(node)
                if error not in ERRORS_OF_MACHINES and issubclass(getattr(errors, error, Exception), SchedulerError):
                    yield f"{name}: {error}"


def _named(node: ast.AST) -> str:
    """Return the name of an error that is raised with a literal or an f-string, or an empty string."""
    match node:
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[ast.Constant() | ast.JoinedStr(), *_])):
            return name
    return ""
