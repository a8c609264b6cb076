"""Triggers as sentences."""

from __future__ import annotations

import json
from typing import Any

from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.core import triggers
from scheduler.errors import InvalidTrigger


def describe(trigger: Any) -> str:
    """Describe a stored trigger. One that raw SQL made invalid is shown as JSON."""
    try:
        return told(triggers.describe(trigger))
    except (InvalidTrigger, TypeError):
        return display.first_line(json.dumps(trigger, ensure_ascii=False, default=str))
