from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import translation


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A request leaves its language to its thread, and so to the test after it."""
    with translation.override("en"):
        yield


@pytest.fixture
def login(db: None) -> Callable[..., Client]:
    """Log somebody in who has just these permissions of the app; with none named, a superuser."""

    def as_user(*permissions: str) -> Client:
        user = User.objects.create_user("anna", is_staff=True, is_superuser=not permissions)
        found = Permission.objects.filter(content_type__app_label="scheduler", codename__in=permissions)
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        client = Client()
        client.force_login(user)
        return client

    return as_user


@pytest.fixture
def client(login: Callable[..., Client]) -> Client:
    """A browser in which a superuser is logged in."""
    return login()
