"""Printing without secrets, and files that a CI reads."""
