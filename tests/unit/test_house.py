"""Modules, functions and folders stay small: what exceeds a limit is named here with its reason."""

from __future__ import annotations

import ast

import pytest

from tests import house
from tests.house import Function, House

LISTS = {
    "scheduler/errors.py": "a list: one class of two lines for each error",
    "scheduler/telemetry/events.py": "a list: one entry for each log event",
    "scheduler/core/definition.py": "a list: one entry for each field of a job",
    "scheduler/conf.py": "a list: one entry for each setting",
    "scheduler/models/run.py": "a list: one entry for each column and index of the ledger",
}
"""Long modules that are tables: they grow by entries, not by code."""

FULL_FOLDERS = {
    "scheduler/management/commands": "Django finds commands in this folder only, not below it",
}

LONG_FUNCTIONS = {
    "scheduler/core/tasks/registry.py:task": "the public decorator: its documentation is the length",
    "scheduler/tasks.py:http_request": "a public task: its documentation is the length",
}

WIDE_FUNCTIONS = {
    "scheduler/services/jobs/__init__.py:create": "a public service: the job, its state, and its author",
    "scheduler/services/runs/__init__.py:backfill": "a public service: the window, its bounds, and the author",
    "scheduler/services/templates/instances.py:create": "a public service: the instance, its state, and its author",
    "scheduler/services/templates/instances.py:change": "a public service: the values, the policy, and the author",
    "scheduler/core/tasks/registry.py:task": "one argument for each property of a task",
    "scheduler/context.py:CurrentRun.__init__": "one argument for each fact that a body may read",
    "scheduler/outgoing/requests.py:request": "one argument for each part of a request",
    "scheduler/api/schema.py:operation": "one argument for each part of an operation in the API's document",
    "scheduler/store/claiming/claims.py:claim_due": "the bounds of a claim, and the clock",
    "scheduler/execution/batching.py:Batcher.__init__": "the bounds of a batch and of the backlog",
}


@pytest.fixture(scope="module")
def measured() -> House:
    return house.measure()


class TestAModule:
    def test_is_short_or_a_list(self, measured: House) -> None:
        long = {path: lines for path, lines in house.long_modules(measured).items() if path not in LISTS}

        assert long == {}

    def test_that_is_named_here_is_long(self, measured: House) -> None:
        assert LISTS.keys() <= house.long_modules(measured).keys()


class TestAFunction:
    def test_is_short_or_has_a_reason(self, measured: House) -> None:
        long = {name: lines for name, lines in house.long_functions(measured).items() if name not in LONG_FUNCTIONS}

        assert long == {}

    def test_takes_few_parameters_or_has_a_reason(self, measured: House) -> None:
        wide = {name: number for name, number in house.wide_functions(measured).items() if name not in WIDE_FUNCTIONS}

        assert wide == {}

    def test_that_is_named_here_needs_it(self, measured: House) -> None:
        assert LONG_FUNCTIONS.keys() <= house.long_functions(measured).keys()
        assert WIDE_FUNCTIONS.keys() <= house.wide_functions(measured).keys()


class TestAFolder:
    def test_holds_few_modules_or_has_a_reason(self, measured: House) -> None:
        assert house.full_folders(measured).keys() == FULL_FOLDERS.keys()


class TestMeasure:
    def test_counts_lines_and_parameters_of_methods(self) -> None:
        code = "class Tree:\n    def grow(self, *, by: int,\n             to: int = 0) -> None:\n        pass\n"

        assert list(house._functions(ast.parse(code), prefix="tree.py:")) == [
            Function(name="tree.py:Tree.grow", lines=3, parameters=2)
        ]
