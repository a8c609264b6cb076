"""Log events: declared once, and logged as they are declared."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import scheduler
from scheduler.telemetry import events
from scheduler.telemetry.events import EVENTS, Event

FOLDER = Path(scheduler.__file__).parent
LEVELS = {"debug", "info", "warning", "error", "exception", "log"}
CONSTANTS = {name: event for name, event in vars(events).items() if isinstance(event, Event)}


class Call(NamedTuple):
    """One place that logs."""

    place: str
    level: str
    event: Event
    fields: frozenset[str]


def calls() -> Iterator[Call]:
    for path in sorted(FOLDER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in LEVELS and ast.unparse(node.func.value) == "logger":
                extra = next((word.value for word in node.keywords if word.arg == "extra"), None)
                names = [ast.literal_eval(key) for key in extra.keys if key] if isinstance(extra, ast.Dict) else []
                for found in ast.walk(node):
                    if isinstance(found, ast.Attribute) and ast.unparse(found.value) == "events":
                        yield Call(path.name, node.func.attr, CONSTANTS[found.attr], frozenset(names))


class TestEveryEvent:
    def test_has_a_name_and_a_sentence(self) -> None:
        assert len(set(EVENTS)) == len(EVENTS) == len(CONSTANTS)
        for event in EVENTS:
            assert re.fullmatch(r"scheduler(\.[a-z_]+){2}", event)
            assert set(event.levels) <= LEVELS - {"log"}
            assert event.meaning.endswith((".", "?"))
        assert sorted(EVENTS) == EVENTS

    def test_is_logged_somewhere(self) -> None:
        text = "".join(path.read_text() for path in FOLDER.rglob("*.py") if path.name != "events.py")
        text += (FOLDER / "engine/events.py").read_text()

        assert CONSTANTS.keys() - set(re.findall(r"\bevents\.(\w+)", text)) == set()

    def test_is_logged_as_it_is_declared(self) -> None:
        found = list(calls())
        wrong = [
            call
            for call in found
            if call.level not in ("log", *call.event.levels) or not call.fields <= set(call.event.fields)
        ]

        assert wrong == []
        assert len(found) > 80


class TestTheCode:
    def test_has_no_name_of_an_event_besides(self) -> None:
        named = re.compile(r"""["']scheduler\.(\w+)\.(\w+)["']""")
        kinds = {event.split(".")[1] for event in EVENTS}
        found = {
            f"{path.name}: {match[0]}"
            for path in FOLDER.rglob("*.py")
            if path.parent.name not in ("telemetry", "migrations")
            for match in named.finditer(path.read_text())
            if f"scheduler.{match[1]}.{match[2]}" in EVENTS
        }

        assert kinds
        assert found == set()

    def test_logs_nothing_else(self) -> None:
        """Two texts for people are left: what a library of ours would say as well."""
        others = [
            f"{path.name}: {ast.unparse(node.args[0])}"
            for path in sorted(FOLDER.rglob("*.py"))
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and ast.unparse(node.func.value) == "logger"
            and "events." not in ast.unparse(node)
        ]

        assert others == [
            "claim.py: event",
            "loops.py: self._fault",
            "loops.py: self._fault",
            "jobstore.py: 'Job “%s” is due, but this process does not know its task “%s”.'",
        ]
