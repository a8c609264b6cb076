"""The tiers as people choose them: each with the interval that its template has today."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext

from openlearn.scraping import services
from openlearn.scraping.models import Source
from scheduler.admin.format import trigger_text


def choices() -> list[tuple[str, str]]:
    """Return value and label of each tier."""
    found = services.tier_triggers()
    return [(tier.value, _label(tier, found[tier])) for tier in Source.Tier]


def _label(tier: Source.Tier, trigger: Any) -> str:
    if trigger is None:
        return str(tier.label)
    return gettext("%(tier)s: %(when)s") % {"tier": tier.label, "when": trigger_text.describe(trigger)}
