"""
Problems of a page in every look: rules of axe that it breaks, and more width than the screen.

``SCREENSHOTS=1`` keeps a picture of each page in each look.
"""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.browser.conftest import SCREENSHOTS
from tests.own_markup import IS_UNFOLD

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules whose result depends on the scheme: it changes colours and moves nothing."""

LOOKS = [(1400, "light"), (1400, "dark"), (320, "light")]
if "EVERY_LOOK" in os.environ:
    LOOKS.append((320, "dark"))  # the styles for a width change no colours
WIDTHS = (1024, 390)
"""Further widths that a page fits on."""

OF_DJANGO = {
    ("link-in-text-block", ".breadcrumbs a"): "Django does not underline the links of its breadcrumbs",
    ("link-in-text-block", "#changelist-search .quiet a"): "nor the one beside the number of results",
    ("link-in-text-block", ".delete-confirmation #content ul a"): "nor those of what is deleted as well",
    ("target-size", "#changelist-filter a"): "the filters of Django's lists are 20 px high",
    ("aria-prohibited-attr", ".help-tooltip"): "Django's selection of several names an icon with aria-label",
}
"""Problems in Django's own markup: the rule of axe, a selector of the elements, and why they are not ours to mend."""

# Links of Django's admin change their colour slowly, when a new scheme is shown as well.
_STILL = """() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""

_RUN = """([rules, ours, known]) => axe.run(
    ours || document, {runOnly: rules, resultTypes: ["violations"]},
).then(found => found.violations.flatMap(
    rule => rule.nodes
        .filter(node => !known.some(([id, selector]) => {
            const element = document.querySelector(node.target[0]);
            return id === rule.id && element && element.matches(selector);
        }))
        .map(node => `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary.slice(0, 300)}`)))"""


def problems(page: Page, *, name: str, ours: str = "") -> list[str]:
    """
    Return what is wrong with the page that is open, in light and dark, on a wide and on a narrow screen.

    With ``EVERY_LOOK=1``, as ``make thorough`` does, colours in the dark are checked on a narrow screen as well.
    Under another theme only what is ours is looked at, and with ``ours`` only what it selects.
    """
    found = []
    page.evaluate(AXE)
    page.evaluate(_STILL)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        if "SCREENSHOTS" in os.environ:
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append(f"{name} ({scheme}): {wide} px wide on a screen of {width} px")
        scope = ours or (".ols, .ols-widget" if IS_UNFOLD else "")
        if scope and not page.locator(scope).count():
            continue
        rules = RULES if scheme == "light" else OF_COLOURS
        said = page.evaluate(_RUN, [rules, scope, [list(each) for each in OF_DJANGO]])
        found += [f"{name} ({width}, {scheme}): {each}" for each in said]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
            found.append(f"{name}: {wide} px wide on a screen of {width} px")
    return found
