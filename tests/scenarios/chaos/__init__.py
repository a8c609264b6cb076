"""
Chaos: nodes, the database and the network between them are broken on purpose, and an oracle counts what is missing.

    python -m tests.scenarios.chaos kill --cycles 200 --seed 7 --json out.json

A campaign starts a PostgreSQL of its own and several ``runscheduler`` processes, breaks things as its seed says, lets
the dust settle, and judges. The judge (``oracle``) shares no code with the product: it enumerates fire times itself,
reads the ledger with SQL of its own, and compares both with what the bodies wrote into a file as they ran. A watch
inside the database (``watch``) records writes that must never happen.

Invariants, as the figures name them:

=====================  ================================================================================================
``lost``               fire times without a row of the ledger
``doubled``            fire times covered by more than one row, or begun more than once where the job forbids it
``invented``           rows for instants that are no fire times
``unaccounted``        runs without a final state after everything had time to end
``double_starts``      bodies that began twice for one run that passes the start gate
``second_starts``      second executions of work that must not be run again
``unproven``           runs recorded as succeeded whose body never ended, by the file
``not_done``           fire times of jobs that are rerun after a crash, without any execution that ended
``overlaps``           moments at which more bodies of a job ran than it allows
``stale_accepted``     writes to finished runs, and outcomes of bodies whose node was not the owner of the run
``errors``             deadlocks and unexpected errors in the server's log, tracebacks in the nodes'
=====================  ================================================================================================
"""
