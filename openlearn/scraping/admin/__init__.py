"""The pages of sources, documents and fetched pages."""

from openlearn.scraping.admin.source_admin import DocumentAdmin, PageAdmin, SourceAdmin

__all__ = ["DocumentAdmin", "PageAdmin", "SourceAdmin"]
