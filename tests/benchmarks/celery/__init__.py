"""
Bodies on Celery workers beside plain Celery, on the same broker in the same run.

    python -m tests.benchmarks.celery [--broker valkey|rabbitmq] [--jobs 5000] [--part NAME …] [--json FILE]

* ``ringing``: messages a second of the doorbell, beside ``apply_async`` in a loop, and of a node that also stamps runs.
* ``ours-throughput``: so many no-op jobs due at once, until all outcomes are stored, and what each costs the database,
  with a node, a worker with threads, and the ledger. ``nodes-throughput``: the same in the threads of the node.
  ``plain-throughput``: Celery beat with django-celery-beat, a worker with threads, results in django-celery-results.
* ``ours-lateness``, ``plain-lateness``: how long after a full minute the bodies of jobs begin that are due at it.
* ``cancelling``: milliseconds from the request to the end of a body that runs on a worker, with each kind of pool.
* ``million``, only if it is named: the memory of a node that rings for 1,000,000 jobs.

Each part has a process and a database of its own on one server with its default settings (fsync on).
``requirements-bench.txt`` has what is needed.
"""
