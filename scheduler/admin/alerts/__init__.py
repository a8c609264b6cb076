"""Alerts in the admin: rules, channels, incidents, notifications and switches, and their parts of other pages."""
