"""
Everything on one machine with one command: database, web, a node, and jobs that scrape the sample site.

``quickstart`` runs the web and the node as child processes, as production does, and reads the ledger to show what they
do. ``processes`` starts and stops the children, ``site`` serves the sample site without a web server, ``progress``
turns finished runs into lines.
"""
