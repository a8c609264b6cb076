"""The base of our admin classes: Django's ``ModelAdmin``, or that of an installed theme."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.urls import URLPattern
from django.utils.module_loading import import_string

from scheduler import conf
from scheduler.errors import Misconfigured
from scheduler.services import sites

STOCK = "django.contrib.admin.ModelAdmin"
UNFOLD = "unfold.admin.ModelAdmin"
_NAMED = {"stock": STOCK, "unfold": UNFOLD}


def chosen(choice: str) -> type[admin.ModelAdmin[Any]]:
    """
    Return the class that ``SCHEDULER['ADMIN_BASE']`` asks for: ``auto``, ``stock``, ``unfold`` or a dotted path.

    :raises Misconfigured: it cannot be imported, or is not a ``ModelAdmin``
    """
    if choice == "auto":
        choice = "unfold" if apps.is_installed("unfold") else "stock"
    if choice == "unfold" and not apps.is_installed("unfold"):
        raise Misconfigured("SCHEDULER['ADMIN_BASE'] is “unfold”, but unfold is not in INSTALLED_APPS.")
    try:
        found = import_string(_NAMED.get(choice, choice))
    except ImportError as error:
        raise Misconfigured(
            f"SCHEDULER['ADMIN_BASE'] is “{choice}”. It must be auto, stock, unfold, "
            f"or the dotted path of a ModelAdmin ({error})."
        ) from None
    if not (isinstance(found, type) and issubclass(found, admin.ModelAdmin)):
        raise Misconfigured(f"SCHEDULER['ADMIN_BASE'] is “{choice}”, which is not a subclass of {STOCK}.")
    return found


def _chosen_or_stock() -> type[admin.ModelAdmin[Any]]:
    """The system checks report an invalid choice, because an import should not."""
    try:
        return chosen(conf.get().admin_base)
    except Misconfigured:
        return admin.ModelAdmin


if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ModelAdmin
else:

    class ModelAdmin(_chosen_or_stock()):
        """The base of our admin classes, whose views say on which site they are."""

        @property
        def urls(self) -> list[Any]:
            return [_on_site(pattern, self.admin_site) for pattern in super().urls]


def _on_site(pattern: Any, admin_site: admin.AdminSite) -> Any:
    """Return the pattern with a view that says first on which site it is."""
    if not isinstance(pattern, URLPattern):
        return pattern
    view = pattern.callback

    @wraps(view)
    def on_site(*args: Any, **kwargs: Any) -> Any:
        sites.enter(admin_site)
        return view(*args, **kwargs)

    return URLPattern(pattern.pattern, on_site, pattern.default_args, pattern.name)


def theme() -> str:
    """Return whose templates are around ours: they differ in which blocks they show."""
    return "unfold" if apps.is_installed("unfold") else "stock"


def list_tag() -> tuple[str, str]:
    """Return the library and the tag that draw the rows of a list."""
    if any(base.__module__.startswith("unfold.") for base in ModelAdmin.__mro__):
        return "unfold_list", "unfold_result_list"
    return "admin_list", "result_list"


def register(*models: type[Model]) -> Callable[[type[Any]], type[Any]]:
    """Register an admin class on the default site, unless ``ADMIN_REGISTER`` leaves that to the project."""

    def keep(admin_class: type[Any]) -> type[Any]:
        try:
            wanted = conf.get().admin_register
        except Misconfigured:  # said by the app once all apps are loaded
            wanted = True
        return admin.register(*models)(admin_class) if wanted else admin_class

    return keep
