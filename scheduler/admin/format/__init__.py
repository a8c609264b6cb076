"""Formatting for people: instants, durations, states, policies, time zones and languages. Other apps may import it."""
