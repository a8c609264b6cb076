"""The question for how long enqueued runs of a queue are kept."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin import pages
from scheduler.admin.format import display
from scheduler.admin.pages import Done, Question
from scheduler.conf import get as settings
from scheduler.services import queues
from scheduler.services.queues import LONGEST_DAYS, QueueState


class Days(forms.Form):
    """Empty fields stand for the settings."""

    successes_days = forms.FloatField(
        label=gettext_lazy("Days for which successes are kept"), required=False, min_value=0, max_value=LONGEST_DAYS
    )
    failures_days = forms.FloatField(
        label=gettext_lazy("Days for which other runs are kept"), required=False, min_value=0, max_value=LONGEST_DAYS
    )


def ask(request: HttpRequest, state: QueueState, *, back: str) -> HttpResponse:
    """Ask for the days, and store them."""
    is_answer = "confirmed" in request.POST
    stored = {"successes_days": state.keep_successes_days, "failures_days": state.keep_failures_days}
    form = Days(request.POST if is_answer else None, initial=stored)
    problem = "" if not is_answer or form.is_valid() else _("Correct the days.")

    def act() -> Done:
        queues.keep(name=state.name, **form.cleaned_data)
        return Done(sentence=_("The clean-up keeps the runs of “%s” for this long.") % _shown(state), location=back)

    question = Question(
        title=_("How long are enqueued runs of “%s” kept?") % _shown(state),
        effects=[
            _("The next clean-up deletes runs that ended longer ago. Runs of jobs are kept as their jobs say."),
            _("An empty field stands for the settings: successes %(successes)s days, others %(failures)s days.")
            % {
                "successes": display.number(settings().keep_enqueued_successes_days),
                "failures": display.number(settings().keep_enqueued_failures_days),
            },
        ],
        button=_("Save"),
        back=back,
        form=form,
    )
    return pages.confirm(request, question=question, act=act, problem=problem)


def _shown(state: QueueState) -> str:
    return display.first_line(state.name)
