"""django-tasks-db: a worker process runs one task at a time. It has no call for many."""

from __future__ import annotations

from tests.benchmarks.enqueueing.contestant import OnDjango


class DjangoTasksDb(OnDjango):
    name = "django_tasks_db"
    table = "django_tasks_database_dbtaskresult"
    history = """
        INSERT INTO django_tasks_database_dbtaskresult (id, status, enqueued_at, started_at, finished_at, args_kwargs,
                    priority, task_path, queue_name, backend_name, exception_class_path, traceback,
                    run_after, worker_ids, return_value)
        SELECT gen_random_uuid(), 'SUCCESSFUL', now(), now(), now(), one.args_kwargs, one.priority, one.task_path,
               one.queue_name, one.backend_name, '', '', one.run_after, '[]', 'null'
          FROM (SELECT * FROM django_tasks_database_dbtaskresult LIMIT 1) AS one, generate_series(1, {count})
    """

    def enqueue_many(self, count: int, at: float = 0.0) -> None:
        self.enqueue_together(count, at)

    def commands(self) -> list[list[str]]:
        # It polls: by default each second. Ten times a second costs it little.
        return [self.command("db_worker", "--interval", "0.1", "--no-startup-delay", "-v", "0")] * self.workers
