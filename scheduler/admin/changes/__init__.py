"""The change history in the admin."""
