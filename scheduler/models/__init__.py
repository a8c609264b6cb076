from scheduler.models.job import Job
from scheduler.models.node import Node
from scheduler.models.rollup import Counter, Rollup
from scheduler.models.run import Run

__all__ = ["Counter", "Job", "Node", "Rollup", "Run"]
