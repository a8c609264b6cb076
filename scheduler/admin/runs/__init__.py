"""Runs in the admin: the list, the page of one run, its log and its report."""
