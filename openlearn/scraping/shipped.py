"""The names of this app's tasks and the templates that it ships. Every process registers them, and few scrape."""

from __future__ import annotations

from openlearn.scraping.models import Source
from scheduler.schedules import ShippedTemplate, ship_template

SCRAPE_TASK = "scraping.scrape_source"
EXTRACT_TASK = "scraping.extract_documents"

_TITLES = {
    Source.Tier.HIGH: "Scrape a feed or a page of the high tier",
    Source.Tier.MEDIUM: "Scrape a feed or a page of the medium tier",
    Source.Tier.LOW: "Scrape a feed or a page of the low tier",
}


def ship_templates() -> None:
    """Register one template for each tier. They are created when templates are first used."""
    for tier, title in _TITLES.items():
        ship_template(
            ShippedTemplate(
                slug=slug_of(tier),
                title=title,
                description="The jobs of sources are its instances. Add sources on their own page.",
                parameters=(
                    {"name": "source_id", "title": "Source", "type": "integer", "minimum": 1},
                    {"name": "name", "title": "Name"},
                    {"name": "url", "title": "Address"},
                    {
                        "name": "seconds",
                        "title": "Seconds between scrapes",
                        "type": "integer",
                        "default": int(Source.INTERVALS[tier].total_seconds()),
                        "minimum": 1,
                    },
                ),
                body={
                    "task": SCRAPE_TASK,
                    "name": "Scrape {name}",
                    "description": "Fetch {url} and store the documents that changed.",
                    "trigger": {"type": "interval", "seconds": "{seconds}"},
                    "kwargs": {"source_id": "{source_id}"},
                },
                module="openlearn.scraping",
            )
        )


def slug_of(tier: str) -> str:
    return f"scrape-{tier}"
