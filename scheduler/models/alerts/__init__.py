"""Rules, incidents, notifications and channels: the tables of alerts."""
