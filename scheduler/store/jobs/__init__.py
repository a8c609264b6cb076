"""Rows of jobs: how they are written and by whom, and the definitions that nodes inspect."""
