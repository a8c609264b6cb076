from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from scheduler.core import reasons


def reason_code() -> models.CharField[Any, Any]:
    """Return the field for the code of a reason that the scheduler gave."""
    return models.CharField(_("reason code"), max_length=64, blank=True, default="", db_default="")


def reason_params() -> models.JSONField[Any, Any]:
    return models.JSONField(_("reason parameters"), null=True, blank=True)


def get_reason(row: Any) -> str:
    """
    Return why a row is as it is.

    A message if the scheduler gave the reason, which is English and can be translated, else the text that a person
    typed. Rows of earlier releases have text only.
    """
    return reasons.read(code=row.reason_code, params=row.reason_params, text=row.reason_text)


def set_reason(row: Any, reason: str | None) -> None:
    for name, value in reasons.columns(reason).items():
        setattr(row, name, value)
