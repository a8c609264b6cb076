"""Every page as a viewer, an editor and an operator open it: no page breaks, and no button leads to a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from tests.browser import shown_pages
from tests.browser.shown_pages import Shown
from tests.own_markup import IS_UNFOLD

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(1500),
    pytest.mark.skipif(IS_UNFOLD, reason="the offers are those of the stock admin"),
]

SCRAPED = ("source", "page", "document")
VIEWER = (
    *(f"view_{name}" for name in ("job", "run", "node", "queue", "rule", "channel", "incident", "notification")),
    *(f"view_{name}" for name in ("switch", "calendar", "template", "bulkaction", *SCRAPED)),
)
OPERATOR = (
    *VIEWER,
    *("run_job", "pause_job", "cancel_run", "retry_run", "note_run", "pause_queue", "drain_node", "view_run_output"),
    "acknowledge_incident",
)
EDITOR = (
    *VIEWER,
    *(f"{what}_{name}" for what in ("add", "change", "delete") for name in ("job", "template", "calendar", "source")),
)
ROLES = {"viewer": VIEWER, "operator": OPERATOR, "editor": EDITOR}

_OFFERS = """() => [...document.querySelectorAll("a[href], button[formaction], form[action]")].map(
    each => each.getAttribute("formaction") || each.getAttribute("href") || each.getAttribute("action")
).map(address => new URL(address, location.href)).filter(
    url => url.origin === location.origin && url.pathname.startsWith("/admin/")
).map(url => url.pathname + url.search)"""
"""The addresses to which a page leads, and those to which its buttons send."""

_LEAVING = ("/logout/", "/jsi18n/")


@dataclass(frozen=True, kw_only=True)
class Walk:
    """The pages as a person with a role found them."""

    opened: frozenset[str]
    refused: frozenset[str]
    wrong: tuple[str, ...]


def walk(page: Page, pages: Iterable[Shown]) -> Walk:
    """Open each page, and try each offer of those that open. Asking an address changes nothing."""
    opened, refused, wrong = set(), set(), []
    answers: dict[str, int] = {}
    for shown in pages:
        answer = page.goto(shown.address, wait_until="domcontentloaded")
        assert answer is not None
        if answer.status == 403:
            refused.add(shown.name)
            if page.locator("#content a").count() == 0:
                wrong.append(f"{shown.name}: the page that refuses leads nowhere")
            continue
        if answer.status not in (200, 404):
            wrong.append(f"{shown.name}: {answer.status}")
        opened.add(shown.name)
        for offer in dict.fromkeys(page.evaluate(_OFFERS)):
            if any(word in offer for word in _LEAVING):
                continue
            if offer not in answers:
                answers[offer] = page.request.get(offer).status
            if answers[offer] == 403 or answers[offer] >= 500:
                wrong.append(f"{shown.name}: {offer} answers {answers[offer]}")
    return Walk(opened=frozenset(opened), refused=frozenset(refused), wrong=tuple(wrong))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_pages_and_is_offered_nothing_that_refuses(
    open_tolerantly: Callable[..., Page], role: str
) -> None:
    page = open_tolerantly("vera", *ROLES[role])
    with shown_pages.everything() as pages:
        found = walk(page, pages)

    assert not found.wrong, "\n".join(found.wrong)
    assert {"scheduler_dashboard", "scheduler_job_page", "runs-slowest", "scheduler_node_change"} <= found.opened
    assert ("scheduler_job_add" in found.opened) == (role == "editor")
    assert ("scheduler_job_run" in found.opened) == (role == "operator")
    assert "scheduler_job_run_with" in found.refused, "other arguments are another definition, and a run"
