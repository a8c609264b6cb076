"""Every error of an outgoing request is a message: a code and parameters, which are told in the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from scheduler import errors
from scheduler.admin.format.languages import told
from scheduler.core import request_messages
from scheduler.errors import RequestFailed
from scheduler.messages import Declared, decode, encode

ROOT = Path(__file__).resolve().parents[3] / "scheduler"
PLACES = (*sorted((ROOT / "outgoing").glob("*.py")), ROOT / "core/network.py", ROOT / "tasks.py")
FAILURES = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, RequestFailed)}
FAILURES |= {"CommandFailed", "CommandNotAllowed"}
DECLARED = {name: fact for name, fact in vars(request_messages).items() if isinstance(fact, Declared)}


def raised() -> Iterator[tuple[str, ast.Call]]:
    for path in PLACES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAILURES:
                yield f"{path.name}:{node.lineno}", node


class TestErrorsOfRequests:
    def test_are_made_from_declared_messages(self) -> None:
        found = dict(raised())
        plain = [
            place
            for place, call in found.items()
            if any(isinstance(part, ast.JoinedStr | ast.Constant) for part in (*call.args, *_branches(call)))
        ]

        assert plain == []
        assert len(found) > 15

    @pytest.mark.parametrize("name", sorted(DECLARED))
    def test_are_told_in_spanish_and_survive_storage(self, name: str) -> None:
        fact = DECLARED[name]
        values = {key: "x" if kind is str else kind(3) for key, kind in fact.params.items()}
        message = fact(**values)
        stored = encode(message)
        assert stored is not None

        again = decode(stored["code"], stored["params"])

        assert again == message
        with translation.override("es"):
            assert told(again) not in ("", message)


def _branches(call: ast.Call) -> Iterator[ast.expr]:
    for part in call.args:
        if isinstance(part, ast.IfExp):
            yield from (part.body, part.orelse)
