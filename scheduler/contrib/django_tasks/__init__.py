"""
The ledger as a backend of ``django.tasks``, and of its backport ``django-tasks`` on Django 5.2.

``LedgerBackend`` goes into ``settings.TASKS``. ``policies`` declares the timeout, the retries and further policies of a
task where ``@task`` does not take them. The ids of results are UUIDs of version 7.
"""

from scheduler.contrib.django_tasks.backend import LedgerBackend
from scheduler.contrib.django_tasks.task_policies import policies

__all__ = ["LedgerBackend", "policies"]
