"""The list of sources."""

from __future__ import annotations

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest

from scheduler.models import Job


class SourceList(ChangeList):
    """Sources of one page with the jobs that scrape them, in one query more."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        ids = [source.job_id for source in self.result_list]
        found = {job.pk: job for job in Job.objects.defer("job_state").filter(pk__in=ids)}
        for source in self.result_list:
            source.job = found.get(source.job_id)
