from django.apps import AppConfig


class ScrapingConfig(AppConfig):
    name = "openlearn.scraping"
    label = "scraping"
    verbose_name = "OpenLearn scraping"
    default_auto_field = "django.db.models.BigAutoField"
