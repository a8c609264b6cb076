"""
The vocabulary of the pages for templates.

``scheduler.admin`` is imported when a page is rendered. A theme may render a widget, which loads every library of tags,
while its own admin base is still being imported. The scheduler's admin classes could not inherit from that base yet.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django import template

from scheduler.services.sites import reverse

register = template.Library()

_FILTERS = {
    "due": "due",
    "due_to_the_second": "due_to_the_second",
    "moment": "moment",
    "heard": "heard",
    "run_badge": "run_badge",
    "job_badge": "job_badge",
    "mark": "badge",
    "run_time": "run_time",
    "span": "span",
    "number": "number",
    "first_line": "first_line",
    "plain": "plain",
    "reason": "reason",
    "whole_reason": "whole_reason",
}


def _word(name: str) -> Callable[[Any], Any]:
    def said(value: Any) -> Any:
        from scheduler.admin.format import display

        return getattr(display, name)(value)

    return said


for _name, _function in _FILTERS.items():
    register.filter(_name, _word(_function))


@register.simple_tag
def admin_url(name: str, *args: Any) -> str:
    """Return an address on the site of the request; also where a widget is rendered without the request."""
    return reverse(f"admin:{name}", args)


@register.filter
def beside(at: Any, zone: str) -> Any:
    from scheduler.admin.format import display

    return display.beside(at, zone)


@register.inclusion_tag("scheduler/times_in.html", takes_context=True)
def times_in(context: Any) -> dict[str, Any]:
    """The zone of the times on the page, with a link to change it. Only GET pages can be returned to."""
    from scheduler.admin.format import display

    request = context["request"]
    is_asking = request.path == reverse("admin:scheduler_zone")
    back = "" if request.method != "GET" or is_asking else request.get_full_path()
    from scheduler.admin.alerts import alert_text

    bell = alert_text.bell(request) if hasattr(request, "user") else {}
    return {"zone": display.zone_line(), "back": back, "environment": display.environment_badge(), "bell": bell}


@register.filter
def kind(value: str) -> str:
    from scheduler.admin.format import display

    return str(display.KINDS.get(value, value))


@register.filter
def as_json(value: Any) -> str:
    from scheduler.admin.format import display

    return display.plain(json.dumps(display.masked(value), ensure_ascii=False, indent=2))


@register.simple_tag
def theme_around() -> str:
    """Return the name of the theme whose pages ours stand in."""
    from scheduler.admin.foundation import theme

    return theme()


@register.simple_tag(takes_context=True)
def rows_of(context: Any, changes: Any) -> str:
    """The rows of an admin list as its own base draws them: the scripts of a theme look for the theme's own ticks."""
    from scheduler.admin.foundation import list_tag

    library, tag = list_tag()
    source = f"{{% load {library} %}}{{% {tag} cl %}}"
    with context.push(cl=changes):
        drawn: str = context.template.engine.from_string(source).render(context)
    return drawn


@register.simple_tag
def ages_as_json() -> str:
    """The formats of distances in time, for the script that keeps them up to date."""
    from scheduler.admin.format import display

    return json.dumps(display.age_texts())
