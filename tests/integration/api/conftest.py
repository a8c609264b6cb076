from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from rest_framework.test import APIClient

BASE = "/api/v1/scheduler"
EVERY_HOUR = {"type": "interval", "hours": 1}


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Nobody has asked for anything before."""
    from scheduler.api.overview.views import kept_windows

    cache.clear()
    kept_windows.clear()
    yield
    cache.clear()


class Caller(APIClient):
    """Speaks JSON to the API, by paths below its root."""

    def _path(self, path: str) -> str:
        return path if path.startswith("/") else f"{BASE}/{path}"

    def generic(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        return super().generic(method, self._path(path), *args, **kwargs)

    def get(self, path: str, data: Any = None, **kwargs: Any) -> Any:
        return super().get(self._path(path), data, **kwargs)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return getattr(self, method)(self._path(path), body, format="json", headers=headers)


@pytest.fixture
def login(db: None) -> Callable[..., Caller]:
    """Log somebody in who has just these permissions of the app; with none named, a superuser."""

    def as_user(*permissions: str, name: str = "anna") -> Caller:
        user = User.objects.create_user(name, is_superuser=not permissions)
        found = Permission.objects.filter(content_type__app_label="scheduler", codename__in=permissions)
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        caller = Caller()
        caller.force_login(user)
        return caller

    return as_user


@pytest.fixture
def api(login: Callable[..., Caller]) -> Caller:
    """Somebody who may do everything."""
    return login()
