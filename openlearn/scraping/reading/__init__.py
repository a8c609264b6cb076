"""Bytes into facts: feeds, sitemaps, pages. These modules do not use the network or the database."""
