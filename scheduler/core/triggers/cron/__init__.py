"""Cron: expressions as crontab(5) has them, APScheduler's fields, and the triggers made of either."""
