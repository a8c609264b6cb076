"""The base of all views: authentication, throttling, rendering and errors."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.http import parse_etags
from knox.auth import TokenAuthentication
from rest_framework import exceptions
from rest_framework.authentication import SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from scheduler.api import problems
from scheduler.api.permissions import ByAction
from scheduler.api.schema import Schema
from scheduler.api.throttling import PerMinute, Unknown

ACTOR_CHARS = 150


class Token(TokenAuthentication):
    """Knox tokens, always sent as Bearer, whatever the project's knox settings. Non-ASCII headers are rejected."""

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def authenticate_credentials(self, token: bytes) -> Any:
        try:
            token.decode("ascii")
        except UnicodeDecodeError:
            raise exceptions.AuthenticationFailed("Invalid token.") from None
        return super().authenticate_credentials(token)


class FiniteJSON(JSONRenderer):
    """Renders JSON, which has no infinite numbers: columns of SQL and numbers of a JSON column may be read as such."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except ValueError:
            return super().render(_finite(data), accepted_media_type, renderer_context)


def _finite(value: Any) -> Any:
    """Replace each number that JSON does not have by the nearest one that it has. ``NaN`` becomes ``None``."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else math.copysign(sys.float_info.max, value)
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value


class JSONParser(BaseParser):
    """Names the type of bodies. They are read by ``parsing.body``, which checks them against a shape as it goes."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        """Leave the body unread: REST framework looks for a CSRF token in it, and that is in a header."""
        return {}


class OnlyJSON(BaseContentNegotiation):
    """There is one form of answer: whatever is asked for, an error is better in that form than not at all."""

    def select_parser(self, request: Request, parsers: list[BaseParser]) -> BaseParser:
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def _know(response: Response, known: str) -> None:
    """Give the answer an ETag of its own when it is rendered. One that the caller knows already has no body."""

    def tag(rendered: Response) -> HttpResponseBase | None:
        digest = hashlib.sha256(rendered.content).hexdigest()[:20]
        version = str(rendered.get("ETag", "")).strip('"')
        rendered["ETag"] = f'"{version}-{digest}"' if version else f'"{digest}"'
        if rendered["ETag"] not in [tag.removeprefix("W/") for tag in parse_etags(known)] and known.strip() != "*":
            return None
        unchanged = HttpResponseNotModified()
        for name in ("ETag", "Cache-Control", "Vary", "Content-Language"):
            if rendered.has_header(name):
                unchanged[name] = rendered[name]
        return unchanged

    response.add_post_render_callback(tag)


class Resource(ViewSet):
    """A view set that brings everything with it: the project's own REST framework settings do not matter."""

    authentication_classes: Any = (Token, SessionAuthentication)
    permission_classes: Any = (ByAction,)
    throttle_classes: Any = (PerMinute,)
    renderer_classes = (FiniteJSON,)
    parser_classes = (JSONParser,)
    content_negotiation_class = OnlyJSON
    versioning_class = None
    metadata_class = None
    schema: Any = Schema()

    permissions: ClassVar[dict[str, tuple[str, ...]]] = {}
    """The permissions of each action, as codenames of the app."""

    def finalize_response(self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any) -> Any:
        finished = super().finalize_response(request, response, *args, **kwargs)
        for name, value in getattr(request, "rate_limit", {}).items():
            finished[name] = value
        return finished

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer in English, whatever language the pages beside it are read in: programs compare what they get."""
        if request.method == "OPTIONS":
            # Before anybody is asked who they are: the answer names the methods that are there, and that is all.
            return HttpResponse(status=204, headers={"Allow": ", ".join(self.allowed_methods)})
        with translation.override("en"):
            response = super().dispatch(request, *args, **kwargs)
        response["Content-Language"] = "en"
        if request.method == "GET" and response.status_code == 200 and isinstance(response, Response):
            _know(response, request.headers.get("If-None-Match", ""))
        return response

    def get_exception_handler(self) -> Callable[..., Response | None]:
        return problems.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except (exceptions.AuthenticationFailed, exceptions.NotAuthenticated):
            # Throttles come after the question who it is: without this one could go on guessing.
            throttle = Unknown()
            if not throttle.allow_request(request, self):
                raise exceptions.Throttled(throttle.wait()) from None
            raise
        for value in kwargs.values():
            if isinstance(value, str) and "\x00" in value:
                raise exceptions.NotFound

    @staticmethod
    def actor(request: Request) -> str:
        """Return who asks, as it is written into jobs and runs."""
        return str(request.user.get_username())[:ACTOR_CHARS]
