"""Parameters, bodies and rendering of templates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.core import templates
from scheduler.core.templates import check_body, check_values, read_parameters, render
from scheduler.errors import InvalidParameters, InvalidTemplate

URL = {"name": "url", "type": "url"}
DAYS = {"name": "days", "type": "integer", "default": 7, "minimum": 1, "maximum": 365}
BODY = {"task": "sample.nothing", "trigger": "0 5 * * *"}


class TestParameters:
    def test_are_stored_as_they_were_given(self) -> None:
        given = [URL, DAYS, {"name": "token", "type": "secret", "default": None}]

        assert [each.as_json() for each in read_parameters(given)] == given

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("url", "a list"),
            ([{"name": "Url"}], "Parameter 1: name"),
            ([{"name": "url", "kind": "x"}], "Parameter 1: kind"),
            ([{"name": "url", "type": "uri"}], "Parameter 1: type"),
            ([URL, URL], "defined twice"),
            ([{"name": "days", "type": "integer", "default": "many"}], "The default of days"),
            ([{"name": "level", "choices": ["a"], "default": "b"}], "The default of level"),
            ([7], "Parameter 1"),
        ],
    )
    def test_are_refused_with_the_reason(self, given: Any, expected: str) -> None:
        with pytest.raises(InvalidTemplate, match=expected):
            read_parameters(given)


class TestValues:
    def test_have_the_defaults_filled_in(self) -> None:
        values = check_values(read_parameters([URL, DAYS]), {"url": "https://example.org/feed"})

        assert values == {"url": "https://example.org/feed", "days": 7}

    def test_are_converted_to_their_type(self) -> None:
        parameters = read_parameters(
            [{"name": "on", "type": "boolean"}, {"name": "from", "type": "date"}, {"name": "n", "type": "integer"}]
        )

        assert check_values(parameters, {"on": "true", "from": "2027-03-01", "n": "5"}) == {
            "on": True,
            "from": "2027-03-01",
            "n": 5,
        }

    @pytest.mark.parametrize(
        ("values", "pointer"),
        [
            ({}, "/parameters/url"),
            ({"url": "nowhere"}, "/parameters/url"),
            ({"url": "https://a.example", "days": 0}, "/parameters/days"),
            ({"url": "https://a.example", "dyas": 3}, "/parameters/dyas"),
        ],
    )
    def test_are_refused_by_name(self, values: dict[str, Any], pointer: str) -> None:
        with pytest.raises(InvalidParameters) as caught:
            check_values(read_parameters([URL, DAYS]), values)

        assert caught.value.problems[0]["pointer"] == pointer


class TestBody:
    def test_may_use_its_parameters(self) -> None:
        check_body({**BODY, "kwargs": {"days": "{days}"}, "name": "{{Old}} {days}"}, read_parameters([DAYS]))

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ([], "object"),
            ({"task": "x"}, "needs “trigger”"),
            ({**BODY, "nmae": ""}, "no field “nmae”"),
            ({**BODY, "name": "{url}"}, r"uses \{url\}"),
            ({**BODY, "name": "{days!r}"}, "a placeholder is"),
            ({**BODY, "name": "{days.real}"}, "a placeholder is"),
            ({**BODY, "name": "{0}"}, "a placeholder is"),
            ({**BODY, "name": "{days"}, "a placeholder is"),
            ({**BODY, "name": "{token}"}, "in arguments only"),
        ],
    )
    def test_is_refused_with_the_reason(self, body: Any, expected: str) -> None:
        with pytest.raises(InvalidTemplate, match=expected):
            check_body(body, read_parameters([DAYS, {"name": "token", "type": "secret"}]))


class TestRender:
    def test_takes_the_type_of_a_placeholder_alone(self) -> None:
        body = {**BODY, "kwargs": {"days": "{days}", "text": "{days} days"}, "priority": "{days}"}

        assert render(body, {"days": 7}) == {
            "task": "sample.nothing",
            "trigger": {"type": "cron", "expression": "0 5 * * *"},
            "kwargs": {"days": 7, "text": "7 days"},
            "priority": 7,
        }

    def test_fills_in_names_and_keeps_doubled_braces(self) -> None:
        body = {**BODY, "tags": ["{topic}"], "name": "{{{topic}}}", "kwargs": {"{topic}": 1}}

        found = render(body, {"topic": "maths"})

        assert (found["tags"], found["name"], found["kwargs"]) == (["maths"], "{maths}", {"maths": 1})

    def test_joins_zone_and_expression(self) -> None:
        found = render({**BODY, "timezone": "{zone}"}, {"zone": "Europe/Berlin"})

        assert found["trigger"]["timezone"] == "Europe/Berlin"

    @given(value=st.text())
    def test_never_reads_a_value_as_a_template(self, value: str) -> None:
        found = render({**BODY, "name": "a {topic} b", "description": "{topic}"}, {"topic": value})

        assert (found["name"], found["description"]) == (f"a {value} b", value)


def test_the_schema_describes_a_form() -> None:
    found = templates.schema(read_parameters([URL, DAYS, {"name": "token", "type": "secret", "title": "Token"}]))

    assert set(found["properties"]) == {"url", "days", "token"}
    assert found["required"] == ["url", "token"]
    assert found["properties"]["token"]["writeOnly"] is True
    assert found["properties"]["days"]["maximum"] == 365
