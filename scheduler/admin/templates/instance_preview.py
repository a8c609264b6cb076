"""The preview of an instance while its form is filled in: its name, its task and its next fire times."""

from __future__ import annotations

from typing import Any

from scheduler.admin.format.languages import told
from scheduler.admin.jobs import preview
from scheduler.admin.templates.template_forms import InstanceForm
from scheduler.core.definition import POLICIES
from scheduler.errors import SchedulerError
from scheduler.models import TemplateVersion
from scheduler.services.jobs import validation
from scheduler.services.templates import instances, rendering


def context(form: InstanceForm, version: TemplateVersion) -> dict[str, Any]:
    """Return what the job of a valid form would be, or the problem."""
    key, owner = form.cleaned_data["key"], instances.owner_of(template=version.template)
    try:
        definition = rendering.declaration(version=version, key=key, values=form.values(), owner=owner).definition
        call = {"args": definition.get("args", ()), "kwargs": definition.get("kwargs", {})}
        validation.check_arguments(task=definition["task"], **call)
    except SchedulerError as error:
        return {"problem": told(error)}
    rules = {"task": definition["task"], **{name: definition[name] for name in POLICIES if name in definition}}
    found = preview.of_trigger(trigger=definition["trigger"], rules=rules)
    return {"name": definition.get("name", key), "task": definition["task"], **found}
