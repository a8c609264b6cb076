from scheduler.models.change import Change
from scheduler.models.declaration import Declaration
from scheduler.models.idempotency import IdempotencyKey
from scheduler.models.installation import Installation
from scheduler.models.job import Job
from scheduler.models.measure import NodeMeasure
from scheduler.models.node import Node
from scheduler.models.rollup import Counter, Rollup
from scheduler.models.run import Run
from scheduler.models.template import Template, TemplateVersion

__all__ = [
    "Change",
    "Counter",
    "Declaration",
    "IdempotencyKey",
    "Installation",
    "Job",
    "Node",
    "NodeMeasure",
    "Rollup",
    "Run",
    "Template",
    "TemplateVersion",
]
