from __future__ import annotations

from typing import ClassVar

from django.urls import reverse
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from scheduler.api import answers as run_answers
from scheduler.api import parsing, shapes
from scheduler.api.idempotency import once
from scheduler.api.queues import answers
from scheduler.api.queues import shapes as queue_shapes
from scheduler.api.schema import operation
from scheduler.api.view import Resource
from scheduler.core.tasks.registry import registry
from scheduler.services import queues
from scheduler.services.queries import representations
from scheduler.services.runs import enqueueing


class QueueViews(Resource):
    permissions: ClassVar = {
        "list": ("view_run",),
        "retrieve": ("view_run",),
        "pause": ("pause_queue",),
        "resume": ("pause_queue",),
        "keep": ("change_queue",),
        "enqueue": ("run_job", "add_job"),
    }

    @operation(answers.Queues, query=shapes.Nothing)
    def list(self, request: Request) -> Response:
        """List the queues that jobs name, in which runs wait, or that were paused."""
        parsing.query(request, shapes.Nothing)
        return Response({"results": [queues.represent(state=each) for each in queues.states()]})

    @operation(answers.Queue, query=shapes.Nothing, problems=(422,))
    def retrieve(self, request: Request, name: str) -> Response:
        """Read a queue. One that is unknown is empty."""
        parsing.query(request, shapes.Nothing)
        return Response(queues.represent(state=queues.state(name=name)))

    @operation(answers.Queue, body=queue_shapes.QueuePause, query=shapes.Nothing, problems=(409, 422))
    def pause(self, request: Request, name: str) -> Response:
        """Let no node begin a run of the queue, scheduled ones included."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, queue_shapes.QueuePause)
        queues.pause(name=name, actor=self.actor(request), reason=body.reason, until=body.until)
        return Response(queues.represent(state=queues.state(name=name)))

    @operation(answers.Queue, query=shapes.Nothing, problems=(409, 422))
    def resume(self, request: Request, name: str) -> Response:
        """Let nodes begin runs of the queue again."""
        parsing.query(request, shapes.Nothing)
        queues.resume(name=name, actor=self.actor(request))
        return Response(queues.represent(state=queues.state(name=name)))

    @operation(answers.Queue, body=queue_shapes.QueueRetention, query=shapes.Nothing, problems=(422,))
    def keep(self, request: Request, name: str) -> Response:
        """Set for how long enqueued runs of the queue are kept."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, queue_shapes.QueueRetention)
        queues.keep(name=name, successes_days=body.successes_days, failures_days=body.failures_days)
        return Response(queues.represent(state=queues.state(name=name)))

    @operation(
        run_answers.Run,
        status=202,
        body=queue_shapes.Enqueueing,
        query=shapes.Nothing,
        problems=(404, 409, 422),
        headers=("Idempotency-Key",),
    )
    def enqueue(self, request: Request, name: str) -> Response:
        """Enqueue a run of a task. If it is unique and a run with its key waits or runs, that one is the answer."""
        parsing.query(request, shapes.Nothing)
        body = parsing.body(request, queue_shapes.Enqueueing)
        if name not in registry.names():
            raise NotFound(f"No task is registered as “{name[:100]}”.")

        def do() -> Response:
            answer = enqueueing.enqueue(
                task=name,
                args=body.args,
                kwargs=body.kwargs,
                queue=body.queue,
                priority=body.priority,
                run_after=body.run_after,
                actor=self.actor(request),
            )
            run = enqueueing.attempts(public_id=answer.public_id)[-1]
            return Response(
                representations.run(row=run, nodes={}),
                status=202,
                headers={"Location": reverse("scheduler-api:run", args=[run.pk])},
            )

        return once(request, do)
