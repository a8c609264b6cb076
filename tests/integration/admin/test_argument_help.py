"""The fields of arguments: their help, placeholders that are accepted, and every problem at once beside its field."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest
from django.test import Client
from pydantic import Field

from scheduler.admin.fields.argument_kinds import arguments_of, as_fields, value_of
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import Task
from scheduler.models import Job
from tests.integration.admin.test_job_form import ARGUMENTS, send
from tests.integration.admin.test_jobs import errors


def fetch(
    *,
    pages: Annotated[int, Field(ge=1, description="How many pages at most.")],
    wait: timedelta = timedelta(minutes=5),
    since: datetime | None = None,
    names: list[str] = ["a", "b"],  # noqa: B006
    headers: dict[str, str] = {"Accept": "text/html"},  # noqa: B006
    status: list[int] | str = "200-299",
    extra: dict[str, Any] = {"a": [1]},  # noqa: B006
    deep: bool = False,
) -> None:
    """
    Fetch pages.

    :param wait: between two pages
    :param status: what counts as an
        answer
    """


@pytest.fixture(autouse=True)
def task(monkeypatch: pytest.MonkeyPatch) -> Task:
    new = Task(name="shop.fetch", function=fetch)
    monkeypatch.setattr(registry, "_tasks", registry._tasks | {new.name: new})
    return new


def values(**fields: str) -> dict[str, Any]:
    return {"task": "shop.fetch", **{f"kwargs__value__{name}": text for name, text in fields.items()}}


class TestTheHelp:
    def test_comes_from_the_annotation_or_the_docstring(self, client: Client) -> None:
        text = client.post(ARGUMENTS, {"task": "shop.fetch", "want": "fields"}).content.decode()

        for said in ("How many pages at most.", "between two pages", "what counts as an answer", "as Name: value"):
            assert said in text

    def test_is_in_the_schema_of_the_task(self, task: Task) -> None:
        assert task.schema["properties"]["wait"]["description"] == "between two pages"

    def test_of_every_built_in_task_says_what_each_argument_is(self) -> None:
        bare = [
            f"{task.name}: {argument.name}"
            for task in registry.all()
            if task.name.startswith("scheduler.")
            for argument in arguments_of(task)
            if not argument.hint and not argument.choices
        ]

        assert bare == []


class TestAPlaceholder:
    @pytest.mark.parametrize("name", ["shop.fetch", "scheduler.http_request"])
    def test_means_the_default_when_it_is_typed(self, name: str) -> None:
        task = registry.get(name)
        typed = [argument for argument in arguments_of(task) if argument.default and not argument.choices]

        found = {argument.name: value_of(argument, argument.default) for argument in typed}

        assert typed
        required = {"pages": 1} if name == "shop.fetch" else {"url": "https://example.org"}
        _, bound = task.bind(args=(), kwargs=found | required)
        assert {each: bound[each] for each in found} == {
            each: task.signature.parameters[each].default for each in found
        }


class TestAField:
    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("wait", "2 h", "PT2H"),
            ("wait", "90", 90),
            ("wait", "PT120M", "PT120M"),
            ("status", "200-299", "200-299"),
            ("status", "200", "200"),
            ("status", "[200, 404]", [200, 404]),
            ("status", '"[200]"', "[200]"),
            ("headers", "Accept: text/html\nX-Key: a: b", {"Accept": "text/html", "X-Key": "a: b"}),
            ("headers", '{"a": "b"}', {"a": "b"}),
        ],
    )
    def test_takes_a_value_as_people_write_it_and_shows_it_again(
        self, task: Task, name: str, text: str, value: Any
    ) -> None:
        argument = next(each for each in arguments_of(task) if each.name == name)

        assert value_of(argument, text) == value
        shown = as_fields([argument], {name: value})
        assert shown is not None
        assert json.dumps(value_of(argument, shown[name])) == json.dumps(value)


@pytest.mark.django_db
class TestProblems:
    def test_are_all_reported_at_once_in_our_words_beside_their_fields(self, client: Client) -> None:
        response = send(
            client,
            **values(pages="0", wait="soon", since="yesterday", headers="nothing", extra="{", deep="maybe", status="1"),
        )

        found = errors(response)["kwargs"]
        assert len(found) == 6
        text = response.content.decode()
        for sentence in (
            "pages: “0” must be at least 1.",
            "wait: “soon” is not a duration.",
            "since: “yesterday” is not a date and time such as",
            "headers: “nothing” is not a name and a value.",
            "extra: the value is not valid JSON.",
            "deep: “maybe” is neither true nor false.",
        ):
            assert sentence in text
        assert "Input should be" not in text
        invalid = re.findall(r'id="id_kwargs_(\w+)" aria-invalid="true" aria-describedby="([^"]+)"', text)
        assert [name for name, _ in invalid] == ["pages", "wait", "since", "headers", "extra", "deep"]
        for name, described_by in invalid:
            assert described_by == f"id_kwargs_{name}_problem id_kwargs_{name}_hint"
            assert all(f'id="{part}"' in text for part in described_by.split())

    def test_are_in_spanish_for_a_spanish_reader(self, client: Client) -> None:
        client.cookies["django_language"] = "es"

        found = " ".join(errors(send(client, **values(pages="0", wait="pronto")))["kwargs"])

        assert "debe ser al menos 1" in found
        assert "no es una duración" in found

    @pytest.mark.parametrize(
        ("parts", "name"),
        [
            ({"trigger__kind": "days", "trigger__times": "8am"}, "trigger-times"),
            ({"trigger__kind": "cron", "trigger__expression": "0 25 * * *"}, "trigger-expression"),
            ({"trigger__timezone": "CEST"}, "trigger-timezone"),
            ({"trigger__number": "x"}, "trigger-number"),
            ({"trigger__kind": "once", "trigger__run_at": "2001-01-01T00:00"}, "trigger-run_at"),
            ({"trigger__end_at": "2001-01-01T00:00"}, "trigger-end_at"),
            ({"trigger__kind": "json", "trigger": "{"}, "trigger"),
        ],
    )
    def test_of_a_trigger_mark_the_part_that_is_wrong(self, client: Client, parts: dict[str, str], name: str) -> None:
        text = send(client, **parts).content.decode()

        assert re.findall(r'name="([\w-]+)" aria-invalid="true" aria-describedby="id_trigger_error"', text) == [name]
        assert 'id="id_trigger_error"' in text

    def test_do_not_keep_a_job_from_being_saved_once_they_are_gone(self, client: Client) -> None:
        response = send(client, **values(pages="3", wait="2 h", headers="A: b"))

        assert response.status_code == 302, errors(response)
        assert Job.objects.get().kwargs == {"pages": 3, "wait": "PT2H", "headers": {"A": "b"}}
