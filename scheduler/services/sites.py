"""
Admin sites: links lead to the site from which a person came.

A project may have several sites, or one of its own. A view of ours says which one it is on, and what is rendered for
the request finds its addresses there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from django import urls
from django.contrib.admin import AdminSite, site, sites
from django.core.signals import request_started
from django.http import HttpRequest
from django.urls import NoReverseMatch

_current: ContextVar[AdminSite | None] = ContextVar("scheduler.services.sites", default=None)


def enter(admin_site: AdminSite) -> None:
    """Say which site the request of this thread is on."""
    _current.set(admin_site)


def current() -> AdminSite:
    """Return the site of the request, or the default one."""
    return _current.get() or site


def of(request: HttpRequest) -> AdminSite:
    """Return the site of a page that may be none of ours."""
    match = getattr(request, "resolver_match", None)
    named = [each for each in sites.all_sites if match is not None and each.name in match.namespaces]
    return named[0] if named else current()


def reverse(name: str, args: Sequence[Any] = ()) -> str:
    """
    Return an address of the admin: on the site of the request, else on the first site that has it.

    :raises NoReverseMatch: no site has it
    """
    for admin_site in _by_preference():
        try:
            return urls.reverse(name, args=args, current_app=admin_site.name)
        except NoReverseMatch:
            continue
    return urls.reverse(name, args=args)


def indexes() -> list[str]:
    """Return where the sites begin that have addresses."""
    found = []
    for admin_site in sites.all_sites:
        try:
            found.append(urls.reverse("admin:index", current_app=admin_site.name))
        except NoReverseMatch:
            continue
    return found


def _by_preference() -> Iterator[AdminSite]:
    yield current()
    yield from sorted(sites.all_sites, key=lambda each: (each is not site, each.name))


def _leave(**_facts: object) -> None:
    """Forget the site before the next request of this thread."""
    _current.set(None)


request_started.connect(_leave, dispatch_uid="scheduler.services.sites")
