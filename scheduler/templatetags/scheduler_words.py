"""The vocabulary of the pages for templates."""

from __future__ import annotations

import json
from typing import Any

from django import template
from django.urls import reverse

from scheduler.admin import words

register = template.Library()

register.filter("due", words.due)
register.filter("beside", words.beside)
register.filter("moment", words.moment)
register.filter("run_badge", words.run_badge)
register.filter("job_badge", words.job_badge)
register.filter("mark", words.badge)
register.filter("run_time", words.run_time)
register.filter("span", words.span)
register.filter("first_line", words.first_line)
register.filter("plain", words.plain)


@register.inclusion_tag("scheduler/times_in.html", takes_context=True)
def times_in(context: Any) -> dict[str, str]:
    """Whose clock the times of the page are, and a way to change that. Only a page that was got can be come back to."""
    request = context["request"]
    is_asking = request.path == reverse("admin:scheduler_zone")
    back = "" if request.method != "GET" or is_asking else request.get_full_path()
    return {"zone": words.zone_line(), "back": back}


@register.filter
def kind(value: str) -> str:
    return str(words.KINDS.get(value, value))


@register.filter
def as_json(value: Any) -> str:
    return words.plain(json.dumps(words.masked(value), ensure_ascii=False, indent=2))
