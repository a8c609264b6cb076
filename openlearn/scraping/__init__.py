"""
OpenLearn's own jobs: fetch feeds, sitemaps and pages of learning material on a schedule, and keep the documents.

A ``Source`` is an address that is watched. Scraping it lists *items* (the entries of a feed, the addresses of a
sitemap, or the page itself). A ``Page`` is one item: the facts from the source, and the page as it was fetched. Turning
stored pages into text costs processor time, so another task does that, in another process, and writes the ``Document``.

Unchanged material is not written again: requests are conditional, items carry a marker, contents a hash.
"""
