"""
One scrape of one source, from its address to counts.

Each kind of source has a module that lists its items; ``page_fetching`` then fetches the pages whose turn it is. What
they share is the ``Context``. A scrape is bounded in time: what is left is noted, and the next one continues there.
"""
