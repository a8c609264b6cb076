"""The tables: sources, the items that they list, the documents that came of them, and the hosts that are asked."""

from openlearn.scraping.models.document import Document
from openlearn.scraping.models.host import Host, RobotsFile
from openlearn.scraping.models.page import EXTRACTION_ATTEMPTS, Listing, Page
from openlearn.scraping.models.source import Source

__all__ = ["EXTRACTION_ATTEMPTS", "Document", "Host", "Listing", "Page", "RobotsFile", "Source"]
