"""Bytes into facts: feeds, sitemaps, pages. Nothing here asks the network or the database."""
