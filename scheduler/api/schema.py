"""The OpenAPI schema: how shapes become schemas, and what every operation may answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel
from pydantic.json_schema import model_json_schema

from scheduler.api import answers, idempotency
from scheduler.api.openapi import PREFIX
from scheduler.api.problems import CONTENT_TYPE


class Schema(AutoSchema):
    """Answers are as they are declared: a list is an object with results, not an array."""

    def get_operation_id(self) -> str:
        """Name the operation for its resource and its action: ``jobs_pause``."""
        resource = self.path.removeprefix(PREFIX).partition("/")[0] or "index"
        return f"{resource}_{self.view.action}"

    def _is_list_view(self, serializer: Any = None) -> bool:
        return False


class TokenScheme(OpenApiAuthenticationExtension):
    """The authentication scheme of tokens."""

    target_class = "scheduler.api.view.Token"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "Made by “manage.py create_api_token”."}


class ShapeExtension(OpenApiSerializerExtension):
    """Requests as they are read, answers as they are written: pydantic's schemas of the two differ."""

    target_class = "pydantic.BaseModel"
    match_subclasses = True
    priority = 1

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        # A shape is told by its name alone: it may stand for itself, or be part of another.
        set_override(self.target, "suppress_collision_warning", True)
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        mode = "validation" if direction == "request" else "serialization"
        schema = model_json_schema(self.target, ref_template="#/components/schemas/{model}", mode=mode)  # type: ignore[arg-type]
        parts = schema.pop("$defs", {})
        if direction == "request":
            for part in (schema, *parts.values()):
                _forget_defaults(part)
        for name, part in parts.items():
            component = ResolvedComponent(name=name, type=ResolvedComponent.SCHEMA, object=name, schema=part)
            auto_schema.registry.register_on_missing(component)
        return schema


def _forget_defaults(shape: dict[str, Any]) -> None:
    """Drop the defaults of a body: generated clients send them, or ask for the member as if it were required."""
    for member in shape.get("properties", {}).values():
        member.pop("default", None)


def only_canonical_paths(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """Leave out the same addresses with a slash at the end, and everything that is not the API."""
    paths = [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]
    return [endpoint for endpoint in paths if endpoint[0] == PREFIX or not endpoint[0].endswith("/")]


def operation(
    answer: type[BaseModel] | None,
    *,
    status: int = 200,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    problems: tuple[int, ...] = (),
    headers: tuple[str, ...] = (),
    open: bool = False,
    also: dict[int, type[BaseModel]] | None = None,
) -> Callable[[Any], Any]:
    """Declare what an action reads and answers. ``problems``: statuses beside those that all have."""
    codes = {*problems, 503, *(() if open else (400, 401, 403, 429))}
    codes |= {*((413, 415) if body else ()), *((422,) if idempotency.HEADER in headers else ())}
    responses: dict[Any, Any] = {status: answer if answer else OpenApiResponse(description="Done."), **(also or {})}
    for code in sorted(codes - set(also or ())):
        responses[code, CONTENT_TYPE] = OpenApiResponse(answers.Problem, description="A problem.")
    parameters = [*(_parameters(query) if query else ()), *(_header(name) for name in headers)]
    keywords: dict[str, Any] = {"auth": []} if open else {}
    declare = extend_schema(
        request=_of_its_own(body) if body else None,
        responses=responses,
        parameters=parameters,
        **keywords,
    )

    def decorate(action: Any) -> Any:
        # Else the project's REST framework settings would say what makes the schema.
        action.kwargs = {"schema": Schema}
        return declare(action)

    return decorate


def _of_its_own(body: type[BaseModel]) -> type[BaseModel]:
    """Derive the same shape: the body of PATCH is marked as partial, and with it would be all that inherit from it."""
    return type(body.__name__, (body,), {"__doc__": body.__doc__, "__module__": body.__module__})


def _parameters(query: type[BaseModel]) -> list[OpenApiParameter]:
    schema = model_json_schema(query)
    found = []
    for name, part in schema.get("properties", {}).items():
        shape = {key: value for key, value in part.items() if key not in ("title", "repeatable", "description")}
        if "anyOf" in shape:
            # “None” is how a parameter is left out; it cannot be sent.
            shape |= next(choice for choice in shape.pop("anyOf") if choice.get("type") != "null")
        if shape.get("default", ...) in (None, "", []):
            shape.pop("default", None)
        found.append(
            OpenApiParameter(
                name=name, type=shape, location=OpenApiParameter.QUERY, description=part.get("description", "")
            )
        )
    return found


_HEADERS = {
    idempotency.HEADER: "The same key gives the same answer once, for 24 hours.",
    "If-Match": "The ETag that was read, or its version alone: refuse if somebody changed the job since.",
}


def _header(name: str) -> OpenApiParameter:
    shape: dict[str, Any] = {"type": "string", "maxLength": 255}
    shape["pattern"] = r'^("[0-9]{1,9}(-[0-9a-f]{1,64})?"|\*)$' if name == "If-Match" else "^[!-~]{1,255}$"
    return OpenApiParameter(name=name, type=shape, location=OpenApiParameter.HEADER, description=_HEADERS[name])
