"""A backend of ``django.tasks`` that appends each task to a file. No worker reads it: that is left to the test."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from scheduler.contrib.django_tasks.compat import BaseTaskBackend, TaskResult, TaskResultStatus
from tests.waiting import whole_lines


class FileBackend(BaseTaskBackend):
    """``OPTIONS["PATH"]`` is the file. It has one JSON object a line: the name of the task, and its arguments."""

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> TaskResult:
        with Path(self.options["PATH"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"task": task.module_path, "kwargs": kwargs}) + "\n")
        return TaskResult(
            task=task,
            id=str(uuid.uuid4()),
            status=TaskResultStatus.READY,
            enqueued_at=None,
            started_at=None,
            finished_at=None,
            last_attempted_at=None,
            args=list(args),
            kwargs=dict(kwargs),
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )


def read(path: Path) -> list[dict[str, Any]]:
    """Return the arguments of the tasks in a file."""
    if not path.exists():
        return []
    return [json.loads(line)["kwargs"] for line in whole_lines(path.read_text(encoding="utf-8"))]
