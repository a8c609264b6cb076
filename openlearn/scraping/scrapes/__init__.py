"""
One scrape of one source, from its address to counts.

Each kind of source has a module that lists its items. ``page_fetching`` then fetches the pages whose turn it is. They
share a ``Context``. A scrape is bounded in time: it notes where it ends, and the next one continues there.
"""
