import importlib.util
import sys

from django.apps import AppConfig, apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db.backends.signals import connection_created
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules, import_string
from django.utils.translation import gettext_lazy as _

from scheduler import checks as our_checks
from scheduler import conf
from scheduler.core import triggers, zone_rules
from scheduler.core.tasks.registry import registry
from scheduler.core.triggers import zones
from scheduler.errors import Misconfigured

_NEEDED = ("django.contrib.postgres", "knox", "django_apscheduler")
"""Apps whose models or fields the scheduler's own build on."""

_DJANGO_TASKS = ("django.tasks", "django_tasks")
"""Since Django 6, and the backport for earlier releases."""

_REGISTER_DJANGO_TASKS = "scheduler.contrib.django_tasks.registration.register_all"


class SchedulerConfig(AppConfig):
    name = "scheduler"
    verbose_name = _("Scheduler")
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        missing = [app for app in _NEEDED if not apps.is_installed(app)]
        if missing:
            raise ImproperlyConfigured(f"INSTALLED_APPS lacks {', '.join(missing)}, which “scheduler” needs beside it.")
        super().import_models()

    def ready(self) -> None:
        checks.register(our_checks.admin_base, checks.Tags.admin)
        checks.register(our_checks.project)
        checks.register(our_checks.tasks)
        _prepare_connections()
        zone_rules.use_newest()
        zones.forget()
        zones.use_default_zone(timezone.get_default_timezone_name)
        autodiscover_modules("tasks")
        try:
            modules = conf.get().task_modules
        except Misconfigured as error:
            raise ImproperlyConfigured(str(error)) from None  # what every command turns into one sentence
        for module in modules:
            if not _is_there(module):
                raise ImproperlyConfigured(
                    f"SCHEDULER['TASK_MODULES'] names “{module}”; there is no such module. Is its folder on the path?"
                )
        registry.allow_modules(modules)
        if any(name in sys.modules for name in _DJANGO_TASKS):  # else no module that is loaded has one of its tasks
            import_string(_REGISTER_DJANGO_TASKS)()
        setting_changed.connect(_forget_settings)


def _prepare_connections() -> None:
    from scheduler.store import calendars, database

    connection_created.connect(database.prepare_connection, dispatch_uid="scheduler.store.database")
    calendars.use()


def _is_there(module: str) -> bool:
    """Return whether it can be found. Errors inside of it appear at its import."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False


def _forget_settings(*, setting: str, **_facts: object) -> None:
    """Tests override settings: read them again."""
    if setting == "SCHEDULER":
        conf.get.cache_clear()
    elif setting == "TIME_ZONE":
        triggers.parse_cached.cache_clear()
