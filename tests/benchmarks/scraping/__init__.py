"""The figures of scraping, in parts that take some minutes each."""
