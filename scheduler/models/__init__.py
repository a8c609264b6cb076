from scheduler.models.job import Job
from scheduler.models.node import Node
from scheduler.models.run import Run

__all__ = ["Job", "Node", "Run"]
