"""Accounting: fire times that no claim has entered, because somebody changed their job, are entered here."""
