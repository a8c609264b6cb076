"""The API does what its schema says, and bad input never breaks it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import SkipTest

import jsonschema
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from knox.models import AuthToken
from pydantic import BaseModel
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig

from scheduler import conf
from scheduler.core.triggers.reading.forms import BOUNDS, CALENDAR_KEYS, KEYS
from scheduler.services import jobs

FILE = Path(__file__).resolve().parents[2] / "docs/openapi.json"
EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "4"))
"""Generated requests for each operation that fit the schema, and as many that do not. ``make thorough`` makes more."""

CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # A request may fit the schema and ask for a task, a trigger or an id that does not work out.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "400", "403", "404", "409", "412", "413", "422", "502", "503"]
            },
            # 503 is the answer of a scheduler that does not work: in this test no node runs. 502: a receiver refused.
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "502", "503"]},
            "negative_data_rejection": {
                "expected-statuses": ["400", "401", "403", "404", "405", "409", "412", "415", "422"]
            },
        }
    }
)


def document() -> dict[str, Any]:
    found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return found


def as_text(found: dict[str, Any]) -> str:
    return (
        json.dumps(json.loads(OpenApiJsonRenderer().render(found)), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    )


class TestTheSchema:
    def test_is_valid_and_the_file_in_docs_is_fresh(self) -> None:
        """``UPDATE_OPENAPI=1 pytest tests/contract/test_openapi.py`` writes the file."""
        found = document()
        validate_schema(found)
        if os.environ.get("UPDATE_OPENAPI"):
            FILE.write_text(as_text(found), encoding="utf-8")

        assert FILE.read_text(encoding="utf-8") == as_text(found)

    def test_is_served_with_a_page_that_loads_nothing_from_elsewhere(self, client: Any, db: None) -> None:
        assert client.get("/api/v1/scheduler/schema").status_code == 200
        page = client.get("/api/v1/scheduler/docs").content.decode()

        assert "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js" in page
        assert "<title>OpenLearn Scheduler</title>" in page
        assert "https://" not in page
        assert "<script>" not in page


class TestDefaults:
    """A generated client sends what the schema calls a default."""

    def test_are_in_no_body(self) -> None:
        found = document()
        bodies = [
            content["schema"]
            for path in found["paths"].values()
            for operation in path.values()
            for content in operation.get("requestBody", {}).get("content", {}).values()
        ]
        assert len(bodies) > 10

        assert [where for body in bodies for where in _defaults(body, found, ())] == []

    def test_of_parameters_fit_their_own_schema(self) -> None:
        parameters = [
            parameter["schema"]
            for path in document()["paths"].values()
            for operation in path.values()
            for parameter in operation.get("parameters", ())
            if "default" in parameter["schema"]
        ]
        assert parameters

        for schema in parameters:
            jsonschema.validate(schema["default"], schema)

    def test_are_what_the_server_does(self, client: Any, django_user_model: Any) -> None:
        client.force_login(django_user_model.objects.create_user("anna", is_superuser=True))
        for path, path_item in document()["paths"].items():
            for parameter in path_item.get("get", {}).get("parameters", ()):
                if "{" in path or "default" not in parameter["schema"]:
                    continue
                default = parameter["schema"]["default"]
                given = client.get(path, {parameter["name"]: str(default).lower()})

                assert given.json().get("results") == client.get(path).json().get("results"), (path, parameter)


def _defaults(schema: Any, found: dict[str, Any], seen: tuple[str, ...]) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _defaults(part, found, seen)
    if not isinstance(schema, dict):
        return
    reference = str(schema.get("$ref", "")).rpartition("/")[2]
    if reference and reference not in seen:
        yield from _defaults(found["components"]["schemas"][reference], found, (*seen, reference))
    if "default" in schema and "properties" not in schema:
        yield f"{'.'.join(seen)}: {schema}"
    for part in schema.values():
        yield from _defaults(part, found, seen)


class TestTriggers:
    """The schema has a shape for each type that the parser has, with its members."""

    def test_have_the_types_and_members_that_are_read(self) -> None:
        shapes = document()["components"]["schemas"]
        kinds = shapes["Trigger"]["discriminator"]["mapping"]
        assert set(kinds) == set(KEYS)

        for kind, reference in kinds.items():
            members = shapes[reference.rpartition("/")[2]]["properties"]
            assert set(members) == {"type", *KEYS[kind], *BOUNDS, *CALENDAR_KEYS}, kind

    @pytest.mark.parametrize("place", ["Job", "JobCreation", "JobChange", "Preview", "TriggerQuestion"])
    def test_are_described_wherever_they_occur(self, place: str) -> None:
        shapes = document()["components"]["schemas"]
        name = next(found for found in (place, f"Patched{place}") if found in shapes)

        assert "#/components/schemas/Trigger" in json.dumps(shapes[name]["properties"]["trigger"])


class TestIds:
    def test_of_runs_are_numbers_in_paths_and_in_bodies(self) -> None:
        found = document()
        parameters = [
            parameter["schema"]["type"]
            for path, item in found["paths"].items()
            if "/runs/{id}" in path
            for operation in item.values()
            for parameter in operation["parameters"]
            if parameter["in"] == "path"
        ]

        assert set(parameters) == {found["components"]["schemas"]["Run"]["properties"]["id"]["type"]} == {"integer"}


class TestShapes:
    def test_have_names_of_their_own(self) -> None:
        """A component of the schema is known by the name of its class alone."""
        assert document()  # all views are imported
        homes: dict[str, set[str]] = {}
        waiting = [BaseModel]
        while waiting:
            for shape in waiting.pop().__subclasses__():
                waiting.append(shape)
                if shape.__module__.startswith("scheduler.api"):
                    homes.setdefault(shape.__name__, set()).add(shape.__module__)
        assert len(homes) > 50

        assert {name: found for name, found in homes.items() if len(found) > 1} == {}


class TestIdempotencyKeys:
    def test_that_came_with_another_request_are_answered_as_documented(self) -> None:
        taking = [
            operation
            for item in document()["paths"].values()
            for operation in item.values()
            if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
        ]
        assert len(taking) > 10

        assert [operation["operationId"] for operation in taking if "422" not in operation["responses"]] == []


@pytest.fixture
def header(db: None, settings: Any) -> Iterator[dict[str, str]]:
    """The token of somebody who may do everything, as often as they like; there is a job with a run."""
    settings.SCHEDULER = {**settings.SCHEDULER, "API_READS_PER_MINUTE": 0, "API_WRITES_PER_MINUTE": 0}
    conf.get.cache_clear()
    jobs.run_now(job=jobs.create(id="some", task="sample.nothing", trigger={"type": "interval", "hours": 1}))
    _, token = AuthToken.objects.create(user=User.objects.create_user("anna", is_superuser=True))
    # As Django's own test client does: the connection is the test's, and is not the request's to close.
    both = (request_started, request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    yield {"Authorization": f"Bearer {token}"}
    for signal in both:
        signal.connect(close_old_connections)
    conf.get.cache_clear()


SCHEMA = schemathesis.openapi.from_dict(json.loads(FILE.read_text(encoding="utf-8")), config=CONFIG)
SCHEMA.app = get_wsgi_application()
OPERATIONS = {operation.label: operation for operation in (found.ok() for found in SCHEMA.get_all_operations())}


@pytest.mark.parametrize("label", sorted(OPERATIONS))
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_operation_answers_as_the_schema_says(label: str, mode: GenerationMode, header: dict[str, str]) -> None:
    operation = OPERATIONS[label]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,  # the same cases each time: what fails here can be repeated
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(headers=header)

    try:
        ask()
    except (Unsatisfiable, SkipTest):
        pytest.skip(f"{label} takes nothing that could be wrong.")
