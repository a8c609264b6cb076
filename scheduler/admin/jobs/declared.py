"""Where a job is declared, what a person changed since, and the two ways out of it: on the page of a job."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from scheduler.admin import addresses, pages
from scheduler.admin.pages import Done, Question
from scheduler.admin.templates import plan_text
from scheduler.core.declarations import Drift
from scheduler.models import Job
from scheduler.services import declarations
from scheduler.services.sites import reverse
from scheduler.services.templates import instances


def context(request: HttpRequest, job: Job) -> dict[str, Any]:
    """Return the declaration of a job for its page. Empty for a job that people made."""
    row = declarations.of_job(id=job.pk)
    if row is None:
        return {}
    version = row.template_version
    return {
        "origin": row.origin,
        "is_dropped": not row.is_declared,
        "template": version.template if version else None,
        "template_address": reverse("admin:scheduler_template_change", args=[version.template_id]) if version else "",
        "version": version.number if version else None,
        "parameters": instances.stored_masked(row) if version else None,
        "drift": _shown(job, declarations.drift(job=job)),
        "kept": _shown(job, declarations.kept(job=job)),
        "may_change": request.user.has_perm("scheduler.change_job"),
        "take": addresses.job_action("take", job.pk),
        "keep": addresses.job_action("keep", job.pk),
        "detach": addresses.job_action("detach", job.pk) if version else "",
    }


def _shown(job: Job, found: tuple[Drift, ...]) -> list[dict[str, Any]]:
    now = timezone.now()
    return [plan_text.difference(job.task, each.field, each.declared, each.stored, now=now) for each in found]


def taking(request: HttpRequest, job: Job) -> tuple[Question, Any]:
    """Return the question whether the declared values are taken, and what does it."""

    def act() -> Done:
        declarations.take(job=job, **pages.author(request))
        return Done(sentence=_("“%s” has its declared values again.") % job.name, location=addresses.job(job.pk))

    return _question(job, title=_("Take the declared values of “%s”?"), button=_("Take them"), act=act)


def keeping(request: HttpRequest, job: Job) -> tuple[Question, Any]:
    """Return the question whether the stored values are kept, and what does it."""

    def act() -> Done:
        declarations.keep(job=job)
        return Done(sentence=_("“%s” keeps its edited values.") % job.name, location=addresses.job(job.pk))

    return _question(job, title=_("Keep the edited values of “%s”?"), button=_("Keep them"), act=act)


def detaching(request: HttpRequest, job: Job) -> tuple[Question, Any]:
    """Return the question whether an instance becomes an ordinary job, and what does it."""

    def act() -> Done:
        instances.detach(job=job, **pages.author(request))
        return Done(sentence=_("“%s” no longer belongs to the template.") % job.name, location=addresses.job(job.pk))

    question = Question(
        title=_("Detach “%s” from its template?") % job.name,
        effects=[_("The job stays as it is. New versions of the template no longer change it.")],
        button=_("Detach"),
        back=addresses.job(job.pk),
    )
    return question, act


def _question(job: Job, *, title: str, button: str, act: Any) -> tuple[Question, Any]:
    shown = _shown(job, declarations.drift(job=job) or declarations.kept(job=job))
    effects = [_("%(label)s: declared as %(old)s, set to %(new)s") % each for each in shown]
    question = Question(title=title % job.name, effects=effects, button=button, back=addresses.job(job.pk))
    return question, act
