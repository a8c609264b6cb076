from django.apps import AppConfig
from django.core.signals import setting_changed
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from scheduler import conf
from scheduler.core.registry import registry


class SchedulerConfig(AppConfig):
    name = "scheduler"
    verbose_name = _("Scheduler")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        autodiscover_modules("tasks")
        registry.allow_modules(conf.get().task_modules)
        setting_changed.connect(_forget_settings)


def _forget_settings(*, setting: str, **_facts: object) -> None:
    """Tests override settings: read them again."""
    if setting == "SCHEDULER":
        conf.get.cache_clear()
