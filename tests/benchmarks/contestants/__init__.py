"""
Who is compared: each module runs N jobs that do nothing, due at once, on T threads, and says how many a second.

``python -m tests.benchmarks.contestants NAME --jobs 5000 --threads 5`` runs one of them against ``DATABASE_URL`` in a
process of its own; its last line is JSON. ``--measure lateness`` lets jobs fire at a steady rate, ``--measure idle``
starts with jobs of which none is due. ``{"skipped": …}`` says why it cannot be measured here.
"""
