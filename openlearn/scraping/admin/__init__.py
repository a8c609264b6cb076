"""The pages of sources, documents and fetched pages in the admin."""

from openlearn.scraping.admin.document_admin import DocumentAdmin
from openlearn.scraping.admin.page_admin import PageAdmin
from openlearn.scraping.admin.source_admin import SourceAdmin

__all__ = ["DocumentAdmin", "PageAdmin", "SourceAdmin"]
