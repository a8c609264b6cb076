import gc

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OpenLearnConfig(AppConfig):
    name = "openlearn"
    verbose_name = _("OpenLearn")

    def ready(self) -> None:
        gc.enable()  # manage.py switches it off
