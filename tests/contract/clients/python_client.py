"""What a program does with the client that openapi-python-client generates; mypy --strict checks it without a cast."""

from __future__ import annotations

import sys

from client import AuthenticatedClient
from client.api.jobs import jobs_create, jobs_destroy, jobs_partial_update, jobs_retrieve, jobs_run
from client.api.runs import runs_retrieve
from client.models.cron_trigger import CronTrigger
from client.models.job import Job
from client.models.job_change import JobChange
from client.models.job_creation import JobCreation
from client.models.job_creation_kwargs import JobCreationKwargs
from client.models.run import Run
from client.models.run_detail import RunDetail
from client.models.run_request import RunRequest


def main(address: str, token: str) -> None:
    client = AuthenticatedClient(base_url=address, token=token, raise_on_unexpected_status=True)
    arguments = JobCreationKwargs()
    arguments["number"] = 3
    creation = JobCreation(
        id="generated",
        task="sample.square",
        kwargs=arguments,
        max_retries=5,
        trigger=CronTrigger(type_="cron", expression="0 3 * * mon", timezone="Europe/Berlin"),
    )
    created = jobs_create.sync(client=client, body=creation)
    assert isinstance(created, Job)
    assert created.name == "generated"

    changed = jobs_partial_update.sync("generated", client=client, body=JobChange(priority=5))
    assert isinstance(changed, Job)
    assert (changed.priority, changed.max_retries, changed.task) == (5, 5, "sample.square")

    run = jobs_run.sync("generated", client=client, body=RunRequest())
    assert isinstance(run, Run)
    ended = runs_retrieve.sync(run.id, client=client, wait=30)
    assert isinstance(ended, RunDetail)
    assert (ended.state, ended.result["square"]) == ("succeeded", 9)

    read = jobs_retrieve.sync("generated", client=client)
    assert isinstance(read, Job)
    assert isinstance(read.trigger, CronTrigger)
    assert read.trigger.expression == "0 3 * * mon"
    assert read.last_run is not None
    assert read.last_run.id == ended.id

    jobs_destroy.sync_detailed("generated", client=client)
    print("done")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
