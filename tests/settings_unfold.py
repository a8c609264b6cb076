"""The tests' settings with django-unfold as the theme of the admin: what a hosting project may have."""

from __future__ import annotations

from django.templatetags.static import static

from tests.settings import *  # noqa: F403
from tests.settings import CONTENT_POLICY as _CONTENT_POLICY
from tests.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = ["unfold", *_INSTALLED_APPS]
UNFOLD = {
    "SITE_TITLE": "OpenLearn Scheduler",
    "SITE_HEADER": "OpenLearn Scheduler",
    # Its own pages have no icon otherwise, and browsers ask for one that is not there.
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("scheduler/icon.svg")},
    ],
    "SIDEBAR": {"navigation": "scheduler.admin.sidebar.navigation"},
}

# The theme's own scripts and styles stand inside its pages and evaluate expressions.
_CONTENT_POLICY["script-src"] = ["'self'", "'unsafe-inline'", "'unsafe-eval'"]
_CONTENT_POLICY["style-src"] = ["'self'", "'unsafe-inline'"]
