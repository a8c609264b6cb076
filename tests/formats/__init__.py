"""Formats that differ from English in how numbers are written, and in no word."""
