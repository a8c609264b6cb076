from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ScrapingConfig(AppConfig):
    name = "openlearn.scraping"
    label = "scraping"
    verbose_name = _("OpenLearn scraping")
    default_auto_field = "django.db.models.BigAutoField"
