"""Health for orchestrators and people, and metrics for Prometheus: answered without the database if need be."""

from __future__ import annotations

import logging
from typing import Any

from django.db.utils import Error
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException, NotAuthenticated, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler import conf
from scheduler.api import parsing, shapes
from scheduler.api.health import answers
from scheduler.api.permissions import lacking, may
from scheduler.api.schema import operation
from scheduler.api.throttling import PerMinute
from scheduler.api.view import Resource
from scheduler.services.queries import health
from scheduler.services.queries.health import Report
from scheduler.telemetry import metrics
from scheduler.telemetry.exporter import Exporter

logger = logging.getLogger(__name__)

HEALTH_JSON = "application/health+json"


class HealthViews(Resource):
    """
    The views are public and not throttled, because an orchestrator would restart healthy processes after a 429.

    The user is authenticated after the check of the database, which stores the users.
    """

    permission_classes = ()
    throttle_classes = ()

    def perform_authentication(self, request: Request) -> None:
        pass

    @operation(answers.Live, query=shapes.Nothing, problems=(400,), open=True)
    def live(self, request: Request) -> Response:
        """Report that this web process responds, without any query."""
        parsing.query(request, shapes.Nothing)
        return _uncached(request, {"status": "pass"}, 200)

    @operation(answers.Health, query=shapes.Nothing, problems=(400,), open=True, also={503: answers.Health})
    def ready(self, request: Request) -> Response:
        """Say whether the scheduling works: 200, or 503 and which check failed."""
        return self._report(request)

    @operation(answers.Health, query=shapes.Nothing, problems=(400,), open=True, also={503: answers.Health})
    def health(self, request: Request) -> Response:
        """Say whether the scheduling works, with a sentence for each check to those who are logged in."""
        return self._report(request)

    def _report(self, request: Request) -> Response:
        parsing.query(request, shapes.Nothing)
        found = health.check()
        details = found.connection_valid and _may_see_details(request, found)
        return _uncached(request, found.as_dict(details=details), 200 if found.is_ready else 503)


def _may_see_details(request: Request, found: Report) -> bool:
    """Return whether the user may view jobs. An invalid token or session counts as anonymous."""
    try:
        return bool(request.user.is_authenticated) and may(request, "view_job")
    except (APIException, Error):
        return False


def _uncached(request: Request, document: dict[str, Any], status: int) -> Response:
    wanted = HEALTH_JSON in request.headers.get("Accept", "")
    content_type = HEALTH_JSON if wanted else "application/json"
    answer = Response(document, status=status, content_type=content_type, headers={"Cache-Control": "no-store"})
    # Django logs answers of 500 and above as errors. This one says that something else is wrong, at every probe.
    answer._has_been_logged = True
    return answer


exporter = Exporter(metrics.read)


class MetricsText(Resource):
    """``/metrics`` for Prometheus, at the root of the site."""

    permission_classes = ()
    schema = None

    def get_throttles(self) -> list[Any]:
        return [] if conf.get().metrics_public else [PerMinute()]

    def perform_authentication(self, request: Request) -> None:
        if conf.get().metrics_public:
            return
        if not request.user.is_authenticated:
            raise NotAuthenticated
        if not may(request, "view_job"):
            raise PermissionDenied(lacking(request, "view_job"))

    def text(self, request: Request) -> HttpResponse:
        found = exporter.exposition(accept=request.headers.get("Accept", ""))
        return HttpResponse(found.body, content_type=found.content_type, headers={"Cache-Control": "no-store"})


@csrf_exempt
def metrics_text(request: HttpRequest) -> Any:
    """Return the metrics of all nodes. Prometheus needs a token, unless ``SCHEDULER_METRICS_PUBLIC`` is set."""
    return MetricsText.as_view({"get": "text"})(request)
