import gc

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class OpenLearnConfig(AppConfig):
    name = "openlearn"
    verbose_name = _("OpenLearn")

    def ready(self) -> None:
        # manage.py switches it off. What start-up made stays: the first search through it took a quarter of the start.
        gc.freeze()
        gc.enable()
        apps.get_app_config("knox").verbose_name = _("API")  # “Knox” tells a reader of the sidebar nothing
