from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from scheduler.core.tasks import registry as module
from scheduler.core.tasks.registry import Registry, task
from scheduler.core.tasks.task import Task, jsonable
from scheduler.errors import DuplicateTask, InvalidArguments, InvalidTask, UnknownTask


class Level(StrEnum):
    EASY = "easy"
    HARD = "hard"


class Lesson(BaseModel):
    title: str
    pages: int = 1


@dataclasses.dataclass
class Course:
    lessons: list[Lesson]


def nothing() -> None:
    """
    Do nothing.

    At length.
    """


def other() -> None:
    pass


def fetch(url: str, max_pages: int = 10, *, follow: bool = False) -> str:
    return url


def positional_only(first: int, /, second: int = 2) -> None:
    pass


def variadic(first: int, *rest: Any, **named: Any) -> None:
    pass


def keywords_only(**named: Any) -> None:
    pass


def unannotated(value, other=None):  # type: ignore[no-untyped-def]
    pass


def takes_model(lesson: Lesson, course: Course | None = None) -> None:
    pass


def bounded(pages: Annotated[int, Field(ge=1, le=9)]) -> None:
    pass


def shadowing(json: str, schema: str = "", copy: bool = False, model_config: str = "", _private: int = 0) -> None:
    pass


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry of its own for this test, which ``@task`` uses too."""
    registry = Registry()
    monkeypatch.setattr(module, "registry", registry)
    return registry


def bind(function: Any, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return Task(name="task", function=function).bind(args=args, kwargs=kwargs)


class TestTheDecorator:
    def test_returns_the_function_unchanged(self, registry: Registry) -> None:
        assert task(nothing) is nothing
        assert task(name="another")(other) is other

    def test_names_a_task_by_its_module_and_function(self, registry: Registry) -> None:
        task(nothing)

        assert registry.names() == {f"{__name__}.nothing"}

    def test_keeps_what_is_declared(self, registry: Registry) -> None:
        task(name="quick", executor="processpool", timeout=timedelta(minutes=1), idempotent=True)(nothing)

        found = registry.get("quick")
        assert (found.executor, found.timeout, found.idempotent) == ("processpool", timedelta(minutes=1), True)

    def test_refuses_what_another_process_could_not_find(self, registry: Registry) -> None:
        def nested() -> None:
            pass

        for function in (nested, lambda: None, print, Lesson):
            with pytest.raises(InvalidTask, match="only a function at the top of a module"):
                task(function)
        assert not registry.names()

    @pytest.mark.parametrize("timeout", [-2.0, 0, "1 minute", timedelta(0), timedelta(seconds=-1)])
    def test_refuses_a_timeout_that_is_no_positive_timedelta(self, registry: Registry, timeout: Any) -> None:
        with pytest.raises(InvalidTask, match="must be a positive timedelta"):
            task(timeout=timeout)(nothing)

        assert not registry.names()

    def test_refuses_two_functions_of_one_name(self, registry: Registry) -> None:
        task(name="same")(nothing)

        with pytest.raises(DuplicateTask, match=r"“same” is both .*:nothing and .*:other"):
            task(name="same")(other)
        assert registry.get("same").function is nothing

    def test_accepts_the_same_function_of_a_reloaded_module(self, registry: Registry) -> None:
        task(name="same")(nothing)
        again = types.FunctionType(nothing.__code__, {}, "nothing")
        again.__module__, again.__qualname__ = nothing.__module__, nothing.__qualname__

        task(name="same")(again)

        assert registry.get("same").function is again


class TestTask:
    def test_describes_itself_by_the_first_line_of_its_docstring(self) -> None:
        assert Task(name="n", function=nothing).description == "Do nothing."
        assert Task(name="n", function=nothing).documentation == "Do nothing.\n\nAt length."
        assert Task(name="n", function=other).description == ""

    def test_has_a_schema_of_its_arguments(self) -> None:
        schema = Task(name="n", function=fetch).schema

        assert schema["required"] == ["url"]
        assert schema["properties"]["max_pages"] == {"default": 10, "title": "Max Pages", "type": "integer"}
        assert schema["additionalProperties"] is False

    def test_has_a_schema_that_is_open_for_any_name(self) -> None:
        assert Task(name="n", function=keywords_only).schema["additionalProperties"] is True


class TestRegistry:
    def test_hints_at_the_name_that_was_meant(self, registry: Registry) -> None:
        task(name="scraping.scrape_source")(nothing)

        with pytest.raises(
            UnknownTask, match=r"Did you mean “scraping.scrape_source”\? .* Restart processes that began before"
        ):
            registry.get("scraping.scrap_source")

    def test_never_imports_a_name(self, registry: Registry) -> None:
        with pytest.raises(UnknownTask):
            registry.get("os:system")
        with pytest.raises(UnknownTask):
            registry.get("antigravity:geohash")
        assert "antigravity" not in sys.modules

    def test_lists_tasks_by_name(self, registry: Registry) -> None:
        task(name="b")(nothing)
        task(name="a")(other)

        assert [found.name for found in registry.all()] == ["a", "b"]

    def test_forgets_a_removed_task(self, registry: Registry) -> None:
        task(name="gone")(nothing)

        registry.remove("gone")

        with pytest.raises(UnknownTask):
            registry.get("gone")
        with pytest.raises(UnknownTask):
            registry.name_of(nothing)
        with pytest.raises(UnknownTask):
            registry.remove("gone")

    def test_finds_the_name_of_a_function_and_of_its_reference(self, registry: Registry) -> None:
        task(name="short")(nothing)

        assert registry.name_of(nothing) == "short"
        assert registry.name_of(f"{__name__}:nothing") == "short"
        assert registry.name_of("short") == "short"
        with pytest.raises(UnknownTask, match="Decorate it with @task"):
            registry.name_of(other)


class TestAllowedModules:
    @pytest.fixture
    def lessons(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        made = types.ModuleType("sample_lessons")
        exec("def learn(): pass\nclass Thing:\n    def method(self): pass\n", made.__dict__)  # noqa: S102 - a module of this test
        made.__dict__["borrowed"] = other
        made.__dict__["system"] = __import__("os").system
        monkeypatch.setitem(sys.modules, "sample_lessons", made)
        return "sample_lessons"

    def test_offer_their_functions_by_reference(self, registry: Registry, lessons: str) -> None:
        registry.allow_modules([lessons])

        assert registry.get("sample_lessons:learn").function.__name__ == "learn"
        assert registry.name_of("sample_lessons:learn") == "sample_lessons:learn"

    @pytest.mark.parametrize("name", ["borrowed", "system", "Thing", "Thing.method", "missing", "__name__", ""])
    def test_offer_nothing_that_is_not_their_own_function(self, registry: Registry, lessons: str, name: str) -> None:
        registry.allow_modules([lessons])

        with pytest.raises(UnknownTask):
            registry.get(f"sample_lessons:{name}")

    def test_are_only_those_that_were_named(self, registry: Registry, lessons: str) -> None:
        with pytest.raises(UnknownTask):
            registry.get("sample_lessons:learn")


class TestBind:
    def test_takes_arguments_by_position_and_by_name(self) -> None:
        args, kwargs = bind(fetch, "https://example.org", max_pages=3)

        assert fetch(*args, **kwargs) == "https://example.org"
        assert kwargs.get("max_pages", args[1:] and args[1]) == 3

    def test_leaves_defaults_to_the_function(self) -> None:
        _, kwargs = bind(fetch, url="u")

        assert kwargs == {"url": "u"}

    def test_passes_positional_only_arguments_by_position(self) -> None:
        assert bind(positional_only, "1") == ((1,), {})
        assert bind(positional_only, 1, second="5") == ((1,), {"second": 5})

    def test_passes_surplus_arguments_on_as_they_are(self) -> None:
        assert bind(variadic, "1", "2", 3.0) == ((1, "2", 3.0), {})
        assert bind(variadic, 1, extra="x") == ((), {"first": 1, "extra": "x"})
        assert bind(keywords_only, anything=[1]) == ((), {"anything": [1]})

    def test_takes_anything_where_nothing_is_annotated(self) -> None:
        assert bind(unannotated, {"a": 1}, other=None) == ((), {"value": {"a": 1}, "other": None})

    def test_does_not_mind_names_that_pydantic_uses_itself(self) -> None:
        assert bind(shadowing, json="{}", schema="s", copy=True, model_config="m", _private="1") == (
            (),
            {"json": "{}", "schema": "s", "copy": True, "model_config": "m", "_private": 1},
        )

    @pytest.mark.parametrize(
        ("annotation", "given", "expected"),
        [
            (int, "3", 3),
            (float, 3, 3.0),
            (bool, "true", True),
            (str, "a", "a"),
            (bytes, "a", b"a"),
            (datetime, "2027-03-01T12:00:00Z", datetime(2027, 3, 1, 12, tzinfo=UTC)),
            (date, "2027-03-01", date(2027, 3, 1)),
            (timedelta, "PT90S", timedelta(seconds=90)),
            (Decimal, "1.10", Decimal("1.10")),
            (UUID, "00000000-0000-0000-0000-000000000007", UUID(int=7)),
            (Path, "/tmp/a", Path("/tmp/a")),
            (Level, "hard", Level.HARD),
            (Literal["a", "b"], "b", "b"),
            (list[int], ["1", 2], [1, 2]),
            (set[str], ["a", "a"], {"a"}),
            (tuple[int, ...], [1, 2], (1, 2)),
            (dict[str, date], {"a": "2027-03-01"}, {"a": date(2027, 3, 1)}),
            (int | None, None, None),
            (int | None, "4", 4),
            (Lesson, {"title": "Sets"}, Lesson(title="Sets")),
            (Course, {"lessons": [{"title": "Sets"}]}, Course(lessons=[Lesson(title="Sets")])),
            (Any, {"a": [1]}, {"a": [1]}),
        ],
        ids=str,
    )
    def test_converts_to_what_the_annotation_says(self, annotation: Any, given: Any, expected: Any) -> None:
        def function(value: Any) -> None:
            pass

        function.__annotations__["value"] = annotation

        _, kwargs = bind(function, value=given)

        assert kwargs == {"value": expected}
        assert type(kwargs["value"]) is type(expected)

    def test_understands_annotations_that_are_written_as_text(self) -> None:
        _, kwargs = bind(takes_model, lesson={"title": "Sets", "pages": "4"})

        assert kwargs == {"lesson": Lesson(title="Sets", pages=4)}

    def test_names_the_value_and_the_reason_of_what_does_not_fit(self) -> None:
        with pytest.raises(InvalidArguments, match=r"max_pages: “many” is not a whole number") as caught:
            bind(fetch, url="u", max_pages="many")

        (problem,) = caught.value.problems
        assert problem["pointer"] == "/kwargs/max_pages"

    def test_names_every_problem_at_once(self) -> None:
        with pytest.raises(InvalidArguments) as caught:
            bind(fetch, max_pages="many", follow="perhaps")

        assert {problem["pointer"] for problem in caught.value.problems} == {
            "/kwargs/url",
            "/kwargs/max_pages",
            "/kwargs/follow",
        }

    def test_shortens_a_long_value(self) -> None:
        with pytest.raises(InvalidArguments) as caught:
            bind(fetch, url="u", max_pages="x" * 5000)

        assert len(str(caught.value)) < 300

    def test_says_what_is_required(self) -> None:
        with pytest.raises(InvalidArguments, match="url is required by task"):
            bind(fetch)

    def test_hints_at_the_argument_that_was_meant(self) -> None:
        with pytest.raises(InvalidArguments, match=r"no argument “max_page”. Did you mean “max_pages”\?") as caught:
            bind(fetch, url="u", max_page=3)

        assert caught.value.problems[0]["code"] == "unknown_argument"

    def test_says_what_there_is_when_nothing_is_close(self) -> None:
        with pytest.raises(InvalidArguments, match="It takes: url, max_pages, follow"):
            bind(fetch, url="u", zzz=3)
        with pytest.raises(InvalidArguments, match="It takes: nothing"):
            bind(nothing, zzz=3)

    def test_refuses_too_many_and_doubled_arguments(self) -> None:
        with pytest.raises(InvalidArguments, match="too many positional arguments"):
            bind(fetch, "u", 1, True)
        with pytest.raises(InvalidArguments, match="multiple values"):
            bind(fetch, "u", url="v")

    def test_respects_bounds(self) -> None:
        assert bind(bounded, pages=9) == ((), {"pages": 9})
        with pytest.raises(InvalidArguments, match="must be at most 9"):
            bind(bounded, pages=10)


class TestJsonable:
    def test_writes_what_json_has_no_type_for_as_text(self) -> None:
        assert jsonable([date(2027, 3, 1), UUID(int=7), Decimal("1.10"), Lesson(title="Sets")]) == [
            "2027-03-01",
            "00000000-0000-0000-0000-000000000007",
            "1.10",
            {"title": "Sets", "pages": 1},
        ]

    @pytest.mark.parametrize("value", [object(), float("nan"), b"\xff"], ids=("object", "nan", "bytes"))
    def test_refuses_what_json_cannot_hold(self, value: Any) -> None:
        with pytest.raises(InvalidArguments):
            jsonable({"a": value})
