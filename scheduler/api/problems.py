"""Problems: every error of the API as an ``application/problem+json`` document (RFC 9457)."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError, ProgrammingError
from django.http import Http404
from django.urls import reverse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler import errors
from scheduler.core.definition import POLICIES
from scheduler.telemetry import events

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

STATUS: dict[type[errors.SchedulerError], int] = {
    errors.SchedulerError: 400,
    errors.JobNotFound: 404,
    errors.RunNotFound: 404,
    errors.BulkActionNotFound: 404,
    errors.ChangeNotFound: 404,
    errors.TemplateNotFound: 404,
    errors.CalendarNotFound: 404,
    errors.RuleNotFound: 404,
    errors.ChannelNotFound: 404,
    errors.SwitchNotFound: 404,
    errors.IncidentNotFound: 404,
    errors.IncidentIsClosed: 409,
    errors.NameTaken: 409,
    errors.CalendarInUse: 409,
    errors.DeliveryFailed: 502,
    errors.JobExists: 409,
    errors.AlreadyPaused: 409,
    errors.QueueStateUnchanged: 409,
    errors.NodeStateUnchanged: 409,
    errors.AlreadyEnqueued: 409,
    errors.NotPaused: 409,
    errors.JobIsBroken: 409,
    errors.NothingToRestore: 409,
    errors.RunFinished: 409,
    errors.RunIsActive: 409,
    errors.NoteAlreadyHolds: 409,
    errors.StaleVersion: 412,
    errors.RequestTooLarge: 413,
    errors.WrongContentType: 415,
    errors.KeyReused: 422,
    errors.DatabaseUnavailable: 503,
}
"""By the nearest class. Mistakes of clients are 400."""

TITLES = {
    "not_authenticated": "Nobody is logged in, and no token was sent.",
    "authentication_failed": "The token or the session is not valid.",
    "permission_denied": "This user may not do this.",
    "not_found": "There is nothing here.",
    "method_not_allowed": "This cannot be done here.",
    "throttled": "Too many requests.",
    "never_fires": "The trigger has no fire time.",
    "unknown_parameter": "A query parameter is not known.",
}
"""Of the problems that have no class in ``scheduler.errors``."""

RETRY_SECONDS = 5


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into a problem. ``None``: an internal error."""
    error = _translated(error)
    if isinstance(error, errors.SchedulerError):
        response = of(error, request=context.get("request"))
    elif isinstance(error, exceptions.APIException):
        response = _of_rest_framework(error, context.get("request"))
    else:
        return None
    return response


def of(error: errors.SchedulerError, *, request: Request | None) -> Response:
    """Return the problem that an error of the scheduler is."""
    status = status_of(type(error))
    code = error.code
    if isinstance(error, errors.InvalidTrigger | errors.InvalidFilter):
        # Their codes are of the one value that is wrong; the problem's type is what they have in common.
        code = "never_fires" if error.code == "never_fires" else type(error).code
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else {}
    return _problem(
        request,
        code=code,
        status=status,
        title=title_of(code),
        detail=str(error),
        details=_details(error),
        headers=headers,
    )


def status_of(kind: type[errors.SchedulerError]) -> int:
    return next(STATUS[base] for base in kind.__mro__ if base in STATUS)


def title_of(code: str) -> str:
    """Return the title of this problem type, or an empty text for an unknown type."""
    if code in TITLES:
        return TITLES[code]
    for kind in _kinds():
        if kind.code == code:
            return " ".join((kind.__doc__ or "").split()).split(". ")[0].rstrip(".") + "."
    return ""


def _kinds() -> list[type[errors.SchedulerError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [kind for kind in found if issubclass(kind, errors.SchedulerError)]


def _translated(error: Exception) -> Exception:
    """Give what Django and the driver raise a name of ours."""
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return errors.RequestTooLarge()
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning(events.API_DATABASE_UNAVAILABLE, extra={"error": " ".join(str(error).split())})
        return errors.DatabaseUnavailable("The database does not answer, or took too long. Try again in a moment.")
    if isinstance(error, ProgrammingError) and _sqlstate(error) in _OTHER_TABLES:
        logger.error(events.API_TABLES_OF_ANOTHER_RELEASE, extra={"error": " ".join(str(error).split())})
        return errors.OtherTables(
            "The tables are not those of this release. Run “manage.py init_scheduler_db” to update them."
        )
    if isinstance(error, DataError):
        return errors.ValueRefused("The database cannot store a value of this request.")
    return error


_OTHER_TABLES = ("42P01", "42703")
"""The error codes of PostgreSQL for missing tables and columns."""


def _sqlstate(error: Exception) -> str:
    """Return the error code of PostgreSQL. psycopg2 and psycopg name it differently."""
    cause = error.__cause__
    return str(getattr(cause, "pgcode", None) or getattr(cause, "sqlstate", None) or "")


def _details(error: errors.SchedulerError) -> list[dict[str, str]]:
    """Say where in the request each thing is wrong."""
    text = str(error)
    if isinstance(error, errors.InvalidRequest | errors.InvalidArguments | errors.InvalidParameters) and error.problems:
        return [{"code": error.code, **problem} for problem in error.problems]
    if isinstance(error, errors.InvalidTrigger):
        return [{"pointer": f"/trigger{error.pointer}", "code": error.code, "detail": text}]
    with_fields = errors.InvalidRule | errors.InvalidChannel | errors.InvalidSwitch | errors.InvalidCalendar
    if isinstance(error, with_fields) and error.field:
        return [{"pointer": f"/{error.field}", "code": error.code, "detail": text}]
    if isinstance(error, errors.InvalidFilter):
        return [{"parameter": error.parameter, "code": error.code, "detail": text}]
    pointer = _POINTERS.get(type(error))
    if isinstance(error, errors.InvalidQueue):
        pointer = "/queue"
    elif isinstance(error, errors.InvalidPolicy):
        word = text.partition(" ")[0]
        pointer = f"/{word}" if word in POLICIES else None
    if isinstance(error, errors.InvalidName):
        pointer = "/id" if text.startswith("The id") else "/name"
    return [{"pointer": pointer, "code": error.code, "detail": text}] if pointer else []


_POINTERS: dict[type[errors.SchedulerError], str] = {
    errors.UnknownTask: "/task",
    errors.InvalidArguments: "/kwargs",
    errors.UnknownExecutor: "/executor",
    errors.JobExists: "/id",
    errors.InvalidPause: "/until",
    errors.InvalidTemplate: "/body",
}


def _of_rest_framework(error: exceptions.APIException, request: Request | None) -> Response:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    code = error.default_code
    detail = _HOW_TO_BE_KNOWN if code == "not_authenticated" else str(error.detail)
    return _problem(
        request,
        code=code,
        status=error.status_code,
        title=title_of(code) or "The request cannot be answered.",
        detail=detail,
        headers=headers,
    )


_HOW_TO_BE_KNOWN = "Send a token as “Authorization: Bearer …” (manage.py create_api_token makes one), or log in."


def _problem(
    request: Request | None,
    *,
    code: str,
    status: int,
    title: str,
    detail: str,
    details: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    document: dict[str, Any] = {
        "type": reverse("scheduler-api:problem", args=[code.replace("_", "-")]),
        "title": title or "The request cannot be answered.",
        "status": status,
        "detail": detail,
    }
    if request is not None:
        document["instance"] = request.path
    if details:
        document["errors"] = details
    return Response(document, status=status, headers=headers, content_type=CONTENT_TYPE)
