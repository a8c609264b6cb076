"""Another run of an enqueued task, with other arguments."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from scheduler.admin import addresses, pages
from scheduler.admin.format import display
from scheduler.admin.jobs import run_with
from scheduler.admin.pages import Done, Question
from scheduler.core.queues.orders import HIGHEST_PRIORITY, LOWEST_PRIORITY
from scheduler.models import Run
from scheduler.services.runs import enqueueing


def ask(request: HttpRequest, run: Run) -> HttpResponse:
    """Ask for the arguments of another run of the same task, in the queue of this one."""
    given = run_with.asked(request, subject=run, stored=run.kwargs)

    def act() -> Done:
        created = enqueueing.enqueue(
            task=run.task,
            args=run.args,
            kwargs=given.kwargs,
            queue=run.queue,
            priority=max(LOWEST_PRIORITY, min(HIGHEST_PRIORITY, run.own_priority)),
            actor=pages.actor(request),
        )
        newest = enqueueing.attempts(public_id=created.public_id)[-1]
        return Done(sentence=_("Run #%d is queued.") % newest.pk, location=addresses.run(newest.pk))

    question = Question(
        title=_("Run “%s” with other arguments?") % display.first_line(run.task),
        effects=[_("%s is enqueued once more, with a result of its own.") % display.plain(run.task)],
        button=_("Run it"),
        back=addresses.run(run.pk),
        arguments=given.html,
    )
    return pages.confirm(request, question=question, act=act, problem=given.problem)
