"""A real Chromium in front of a real server. Without Chromium these tests are skipped, in CI they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.waiting import PATIENCE_SECONDS

# Playwright keeps an event loop in this thread; the tests' own queries beside it are meant.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Each script runs for a moment, on a page that is left at once: it costs less to run it than to optimise it.
    "--js-flags=--no-opt --no-maglev",
)
PATIENCE_MILLISECONDS = PATIENCE_SECONDS * 1000
expect.set_options(timeout=PATIENCE_MILLISECONDS)

SCREENSHOTS = Path(__file__).resolve().parents[2] / "screenshots"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, while tests of this folder follow each other: others want a thread without an event loop."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sentence = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    # Beside a running event loop Django keeps this thread's connections elsewhere: none may be left on the other side.
    connections.close_all()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS), timeout=PATIENCE_MILLISECONDS)
        yield browser
        browser.close()
        connections.close_all()


@pytest.fixture
def open_as(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """
    Open a window in which somebody is logged in, with just these permissions; with none named, as a superuser.

    What a window says on its console, or cannot load, fails the test at its end.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_window(name: str = "anna", *permissions: str) -> Page:
        page = _window(browser, live_server, name, *permissions)
        contexts.append(page.context)
        # What the tests' own scripts cause, axe among them, has no address.
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" and said.location["url"] else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 400 else None)
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def open_tolerantly(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """Open a window in which pages may answer that something is gone or forbidden."""
    contexts: list[Any] = []

    def open_window(name: str = "anna", *permissions: str) -> Page:
        page = _window(browser, live_server, name, *permissions)
        contexts.append(page.context)
        return page

    yield open_window
    for context in contexts:
        context.close()


@pytest.fixture
def tolerant_page(open_tolerantly: Callable[..., Page]) -> Page:
    return open_tolerantly()


def _window(browser: Browser, live_server: Any, name: str, *permissions: str) -> Page:
    user = User.objects.create_user(name, is_staff=True, is_superuser=not permissions)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label__in=("scheduler", "scraping"), codename__in=permissions)
    )
    client = Client()
    client.force_login(user)
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1400, "height": 900})
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MILLISECONDS)
    return page


@pytest.fixture
def page(open_as: Callable[..., Page]) -> Page:
    return open_as()
