"""Triggers as text for people: sentences, lists, times of day, and the effect of clock changes."""
