"""The choice of a task by its name and description, with a search in JavaScript."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from scheduler.admin.format import display
from scheduler.core.tasks.registry import registry
from scheduler.core.tasks.task import DEFAULT_EXECUTOR, Task
from scheduler.errors import UnknownTask


class TaskSelect(forms.Select):
    """A select whose options tell the script beside it more than their text."""

    def __init__(self) -> None:
        super().__init__(
            attrs={
                "data-combobox": gettext_lazy("Search by name or description"),
                "data-none": gettext_lazy("No task matches."),
                "data-further": gettext_lazy("%s more. Type more to narrow the list."),
            }
        )

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(name, value, *args, **kwargs)
        try:
            task = registry.get(str(value)) if value else None
        except UnknownTask:
            task = None
        if task is not None:
            option["attrs"] |= {"data-name": task.name, "data-about": task.description, "data-more": _declared(task)}
        return option


def choices(current: str | None) -> list[tuple[str, str]]:
    """All tasks, including a missing one of a stored job, so that the rest of the job can be edited."""
    found = [(task.name, f"{task.name}: {task.description}".removesuffix(": ")) for task in registry.all()]
    if current is None:
        return [("", "---------"), *found]
    if current not in registry.names():
        found.append((current, _("(cannot import) %s") % current))
    return found


def _declared(task: Task) -> str:
    said = [_("on “%s”") % task.executor] if task.executor != DEFAULT_EXECUTOR else []
    if task.timeout is not None:
        said.append(_("at most %s") % display.span(task.timeout))
    return ", ".join(said)
