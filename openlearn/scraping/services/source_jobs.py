"""
The jobs of sources: each is an instance of the template of its tier.

A tier's interval is the default of ``seconds`` in its template. A new version with another default and an upgrade of
its instances change it for all sources of the tier without an interval of their own.
"""

from __future__ import annotations

from typing import Any

from openlearn.scraping.models import Source
from openlearn.scraping.shipped import SCRAPE_TASK, slug_of
from scheduler.errors import SchedulerError
from scheduler.models import Declaration, Job, TemplateVersion
from scheduler.services import templates
from scheduler.services.templates import instances, rendering


def tier_triggers() -> dict[str, Any]:
    """Return the trigger of a new source by tier, as the templates have it now; ``None``: unknown."""
    return {tier: _trigger_of(tier) for tier in Source.Tier.values}


def _trigger_of(tier: str) -> Any:
    values = {"source_id": 1, "name": "Any", "url": "https://example.org"}
    try:
        version = templates.current(slug=slug_of(tier))
        found = rendering.declaration(version=version, key=slug_of(tier), values=values, owner="")
    except SchedulerError:  # a person deleted the template, or gave it other parameters
        return None
    return found.definition["trigger"]


def save(*, source: Source, before: Source | None, actor: str, origin: str, paused: bool) -> tuple[Job, bool]:
    """Create or change the job of a source that was ``before``. Return it, and whether it is new."""
    version = templates.current(slug=slug_of(source.tier))
    job = Job.objects.filter(pk=source.job_id).first()
    if job is None:
        job = instances.create(
            version=version, key=source.job_id, values=_values(source), actor=actor, paused=paused, source=origin
        )
        return job, True
    if not Declaration.objects.filter(job_key=source.job_id, template_version__isnull=False).exists():
        instances.adopt(version=version, given=[(source.job_id, _values(before or source))], actor=actor)
    version = _present(source) or version
    values = _values(source)
    changed = instances.change(
        job=job, values=values, version=version, on_conflict="declared", replaces=True, actor=actor
    )
    return changed, False


def _present(source: Source) -> TemplateVersion | None:
    """Return the version that the job has, if it is one of the template of the source's tier."""
    found = Declaration.objects.filter(job_key=source.job_id).select_related("template_version__template").first()
    version = found.template_version if found else None
    return version if version is not None and version.template.slug == slug_of(source.tier) else None


def _values(source: Source) -> dict[str, Any]:
    own = {} if source.interval_seconds is None else {"seconds": source.interval_seconds}
    return {"source_id": source.pk, "name": source.name, "url": source.url, **own}


def adopt_all() -> int:
    """
    Let the jobs of sources that were made before there were templates be instances. Return how many were taken over.

    They stay as they are, with their ids, runs and history.
    """
    known = Declaration.objects.values("job_key")
    waiting = Job.objects.filter(task=SCRAPE_TASK).exclude(pk__in=known).values_list("pk", flat=True)
    ids = set(waiting)
    if not ids:
        return 0
    number = 0
    for tier in Source.Tier.values:
        found = [source for source in Source.objects.filter(tier=tier) if source.job_id in ids]
        if found:
            given = [(source.job_id, _values(source)) for source in found]
            done = instances.adopt(version=templates.current(slug=slug_of(tier)), given=given, actor="scraping")
            number += sum(step.has_changes for step in done.steps)
    return number
