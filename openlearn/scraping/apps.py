from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ScrapingConfig(AppConfig):
    name = "openlearn.scraping"
    label = "scraping"
    verbose_name = _("OpenLearn scraping")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from openlearn.scraping import shipped

        shipped.ship_templates()
        post_migrate.connect(_adopt, sender=self)


def _adopt(*, using: str, **_facts: object) -> None:
    """Let the jobs of earlier releases be instances of templates, once all tables are as this release has them."""
    from openlearn.scraping.services import source_jobs
    from scheduler.services import installation

    if not installation.missing_in(alias=using):
        source_jobs.adopt_all()
