"""This scheduler: one node with threads."""

from __future__ import annotations

from tests.benchmarks.enqueueing.contestant import OnDjango


class Ours(OnDjango):
    name = "ours"
    table = "scheduler_run"
    history = """
        INSERT INTO scheduler_run (job_key, job_name, task, args, kwargs, scheduled_at, due_at, kind, attempt, state,
                                   executor, priority, held, coalesced, queue, public_id, created_at, started_at,
                                   finished_at, reason, requested_by, log, traceback)
        SELECT '', '', 'tests.benchmarks.enqueueing.app.tasks.begin', '[]', '{{"at": 1}}', moment.at, moment.at,
               'enqueued', 1, 'succeeded', 'default', 0, false, 0, 'default', gen_random_uuid(), moment.at, moment.at,
               moment.at, '', '', '', ''
          FROM (SELECT now() - n * interval '1 millisecond' AS at FROM generate_series(1, {count}) AS n) AS moment
    """

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        self.task.get_backend().enqueue_many([(self.task, [], {"at": at})] * count)

    def commands(self) -> list[list[str]]:
        return [self.command("runscheduler", "--no-alerts")]
