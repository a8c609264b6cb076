"""The app says what it needs beside it."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured


@pytest.mark.parametrize("missing", ["django.contrib.postgres", "knox", "django_apscheduler"])
def test_an_app_that_is_missing_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = apps.get_app_config("scheduler")
    monkeypatch.setattr(apps, "is_installed", lambda name: name != missing)

    with pytest.raises(ImproperlyConfigured, match=f"^INSTALLED_APPS lacks {missing}, which"):
        config.import_models()
