"""One change of many selected jobs: the question, the work at once or in the background, and the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from scheduler.admin import pages
from scheduler.admin.bulk import bulk_admin
from scheduler.admin.format import display
from scheduler.admin.format.languages import told
from scheduler.admin.pages import Done, Question
from scheduler.core.states import Via
from scheduler.errors import SchedulerError
from scheduler.models import Job
from scheduler.services.bulk import Selection, begin, work_off

AT_ONCE = 50
"""
Most jobs that are changed while the person waits.

Larger numbers are changed in the background, with a progress page.
"""

_MOST_REFUSALS_SHOWN = 5
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkChange:
    """A change, as it is asked for and made."""

    title: str
    effect: str
    button: str
    background: tuple[str, dict[str, Any]]
    """The action and its parameters as ``services.bulk`` takes them, for more jobs than a person waits for."""

    act: Callable[[Job], Any]
    """Change one job."""

    report: Callable[[Sequence[Any]], str]
    """Return the sentence about the changes that were made."""

    asks: dict[str, Any] = field(default_factory=dict)
    """Further fields of the question."""

    problem: str = ""

    def ask(
        self, model_admin: admin.ModelAdmin[Job], request: HttpRequest, queryset: QuerySet[Job]
    ) -> HttpResponse | None:
        """Ask for confirmation, then change each job by itself and report the refused ones."""
        number = queryset.count()
        if not number:
            return None
        ordered = queryset.order_by("pk")
        question = Question(
            title=self.title,
            effects=[_counted(list(ordered[:_MOST_NAMES]), number), self.effect],
            button=self.button,
            back=request.get_full_path(),
            fields=pages.selection(request),
            **self.asks,
        )

        def do() -> Done:
            if number > AT_ONCE:
                return self._in_background(request, ordered)
            done = self._one_by_one(model_admin, request, list(ordered))
            return Done(sentence=self.report(done) if done else "", location=request.get_full_path())

        return pages.confirm(request, question=question, act=do, problem=self.problem, one_by_one=True)

    def _in_background(self, request: HttpRequest, ordered: QuerySet[Job]) -> Done:
        action, parameters = self.background
        ids = tuple(ordered.values_list("pk", flat=True))
        row = begin(
            subject="jobs",
            action=action,
            selection=Selection(ids=ids),
            parameters=parameters,
            actor=pages.actor(request),
            via=Via.ADMIN,
        )
        work_off(id=row.pk)
        return Done(sentence="", location=bulk_admin.address(row.pk))

    def _one_by_one(
        self, model_admin: admin.ModelAdmin[Job], request: HttpRequest, selected: Sequence[Job]
    ) -> list[Any]:
        done, refused = [], []
        for job in selected:
            try:
                done.append(self.act(job))
            except SchedulerError as error:
                why = told(error)
                refused.append(why if job.name in why else f"“{display.first_line(job.name)}”: {why}")
        for sentence in refused[:_MOST_REFUSALS_SHOWN]:
            model_admin.message_user(request, sentence, messages.ERROR)
        if len(refused) > _MOST_REFUSALS_SHOWN:
            more = len(refused) - _MOST_REFUSALS_SHOWN
            model_admin.message_user(request, _("%s more jobs were rejected.") % display.number(more), messages.ERROR)
        return done


def _counted(selected: Sequence[Job], number: int) -> str:
    names = ", ".join(display.first_line(job.name, most=60) for job in selected[:_MOST_NAMES])
    more = number - min(len(selected), _MOST_NAMES)
    if more > 0:
        names += " " + ngettext("and %s more", "and %s more", more) % display.number(more)
    return ngettext("%(count)s job: %(names)s.", "%(count)s jobs: %(names)s.", number) % {
        "count": display.number(number),
        "names": names,
    }
