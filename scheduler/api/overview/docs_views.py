"""The page for reading and trying the API. It loads its files from this server."""

from __future__ import annotations

from django.apps import apps
from django.templatetags.static import static
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import openapi
from scheduler.api.overview.views import NowhereViews

APPS = ("drf_spectacular", "drf_spectacular_sidecar")
"""They have the templates and the files of the page."""


class DocsView(SpectacularSwaggerSplitView):
    """The page of drf-spectacular, whatever ``SPECTACULAR_SETTINGS`` of the project say."""

    title = openapi.SETTINGS["TITLE"]
    url_name = "scheduler-api:schema"
    authentication_classes = ()
    permission_classes = ()
    schema = None

    @staticmethod
    def _swagger_ui_resource(filename: str) -> str:
        return static(f"drf_spectacular_sidecar/swagger-ui-dist/{filename}")

    @staticmethod
    def _swagger_ui_favicon() -> str:
        return static("drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png")


class MissingDocsViews(NowhereViews):
    """The same address in a project without the apps of the page."""

    def nowhere(self, request: Request, **kwargs: object) -> Response:
        raise NotFound(f"This page needs {' and '.join(APPS)} in INSTALLED_APPS. The schema is beside it.")


def is_installed() -> bool:
    return all(apps.is_installed(app) for app in APPS)
